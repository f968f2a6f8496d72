import type { Secret, SecretImport, Session } from '@ensconce/policy/session';
import { SecretsError } from './errors.ts';
import { storedOf, type SecretState, type StoredSecret } from './stored.ts';

/** A session as the other side of an export sees it. */
export interface Party {
  readonly session: Pick<Session, 'name' | 'secrets'>;
  /** What its CAS knows it by, whoever has its name. */
  readonly id: string;
  /** Its session hash. */
  readonly hash: string;
}

/** Who imports, as an export names it. */
export interface Importer {
  readonly name: string;
  readonly hash: string;
  /** Key hash of the other CAS that asks; absent for sessions of the same CAS. */
  readonly cas?: string | undefined;
}

/** Whether `secret` is exported to this session, at this very version where the export says so. A namespace is one of the same CAS. */
export function isExportedTo(secret: Secret, importer: Importer): boolean {
  return secret.export.some((target) => {
    if (target.kind === 'namespace') {
      if (importer.cas !== undefined) return false;
      return target.namespace === '/' || importer.name.startsWith(`${target.namespace}/`);
    }
    const { casUrl, casKey, session, sessionHash } = target.to;
    const rightCas =
      casUrl === undefined ? importer.cas === undefined : casKey !== undefined && casKey === importer.cas;
    return (
      rightCas && session === importer.name && (sessionHash === undefined || sessionHash === importer.hash)
    );
  });
}

/** The one answer to whoever asks for what is not exported to him, whether or not it is there. */
export function notExported(request: SecretImport, importer: string): SecretsError {
  return new SecretsError(
    'SECRETS_IMPORT',
    `secret ${request.secret} of session ${request.from.session}: one that is exported to ${importer} expected, none found`,
    {
      hint:
        'the other session exports it with `export: {session: …}`, to a session of another CAS with its cas_url and ' +
        'cas_key too; session_hash must match where it is given',
    },
  );
}

/** Whether `exporter` exports what `request` asks for to `importer`: known before any value is made or fetched. */
export function exportsTo(request: SecretImport, importer: Importer, exporter: Party): boolean {
  const { session, sessionHash } = request.from;
  if (session !== exporter.session.name || (sessionHash !== undefined && sessionHash !== exporter.hash))
    return false;
  const secret = exporter.session.secrets.find(({ name }) => name === request.secret);
  return secret !== undefined && isExportedTo(secret, importer);
}

/** What `importer` gets, if anything. A certificate brings its private key only if that key is exported to the same session. */
export function exportedValue(
  request: SecretImport,
  importer: Importer,
  exporter: Party & { readonly state: SecretState },
): StoredSecret | undefined {
  if (!exportsTo(request, importer, exporter)) return undefined;
  const { secrets } = exporter.state;
  const stored = Object.hasOwn(secrets, request.secret) ? secrets[request.secret] : undefined;
  if (stored?.kind !== 'x509') return stored;
  const named = exporter.session.secrets.find(({ name }) => name === request.secret);
  const key = exporter.session.secrets.find(({ name }) => name === named?.privateKey);
  const withKey =
    key !== undefined && isExportedTo(key, importer) && storedOf(secrets, key.name, 'private-key');
  const { pkcs8, renew: _renew, ...certificate } = stored;
  return withKey && pkcs8 !== undefined ? { ...certificate, pkcs8 } : certificate;
}

export interface PublicValue {
  readonly kind: 'string';
  readonly value: string;
  readonly expires: string | null;
  readonly renew: string | null;
}

/** What anybody may read of a secret with `export_public: true`; `undefined` for every other, and for what has no public part. */
export function publicValue(session: Session, state: SecretState, name: string): PublicValue | undefined {
  const secret = session.secrets.find((candidate) => candidate.name === name);
  const stored = Object.hasOwn(state.secrets, name) ? state.secrets[name] : undefined;
  if (!secret?.exportPublic || !stored) return undefined;
  const value = publicText(stored);
  if (value === undefined) return undefined;
  return {
    kind: 'string',
    value,
    expires: stored.kind === 'x509' ? stored.notAfter : null,
    renew: stored.kind === 'x509' ? (stored.renew ?? null) : null,
  };
}

function publicText(stored: StoredSecret): string | undefined {
  const pem = (label: string, base64: string) =>
    `-----BEGIN ${label}-----\n${(base64.match(/.{1,64}/g) ?? []).join('\n')}\n-----END ${label}-----\n`;
  switch (stored.kind) {
    case 'ascii':
      return stored.value;
    case 'binary':
      return Uint8Array.fromBase64(stored.value).toHex();
    case 'public-key':
      return pem('PUBLIC KEY', stored.spki);
    case 'x509':
      return pem('CERTIFICATE', stored.certificate);
    case 'pgp-key':
      return stored.publicKey;
    default:
      return undefined;
  }
}
