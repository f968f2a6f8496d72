import type { Secret, SecretImport, Session } from '@ensconce/policy/session';
import { SecretsError } from './errors.ts';
import { storedOf, type SecretState, type StoredSecret } from './stored.ts';

/** A session as the other side of an export sees it. */
export interface Party {
  readonly session: Session;
  /** Its session hash. */
  readonly hash: string;
}

/** Whether `secret` is exported to this session of the same CAS, at this very version where the export says so. */
export function isExportedTo(
  secret: Secret,
  importer: { readonly name: string; readonly hash: string },
): boolean {
  return secret.export.some((target) => {
    if (target.kind === 'namespace') {
      return target.namespace === '/' || importer.name.startsWith(`${target.namespace}/`);
    }
    const { to } = target;
    if (to.casUrl !== undefined || to.session !== importer.name) return false;
    return to.sessionHash === undefined || to.sessionHash === importer.hash;
  });
}

/**
 * The value that an import gets. `exporter.state` must hold what the exporter itself imported. A certificate brings its
 * private key only if that key is exported to the same session. Throws `SECRETS_IMPORT`; the message does not say
 * whether the secret exists.
 */
export function importedValue(
  request: SecretImport,
  importer: Party,
  exporter: Party & { readonly state: SecretState },
): StoredSecret {
  const refused = new SecretsError(
    'SECRETS_IMPORT',
    `secret ${request.secret} of session ${request.from.session}: one that is exported to ${importer.session.name} expected, none found`,
    {
      hint: 'the other session exports it with `export: {session: …}`; session_hash must match where it is given',
    },
  );
  if (request.from.session !== exporter.session.name) throw refused;
  if (request.from.sessionHash !== undefined && request.from.sessionHash !== exporter.hash) throw refused;
  const secret = exporter.session.secrets.find(({ name }) => name === request.secret);
  const target = { name: importer.session.name, hash: importer.hash };
  const { secrets } = exporter.state;
  const stored = Object.hasOwn(secrets, request.secret) ? secrets[request.secret] : undefined;
  if (!secret || !stored || !isExportedTo(secret, target)) throw refused;
  if (stored.kind !== 'x509') return stored;
  const key = exporter.session.secrets.find(({ name }) => name === secret.privateKey);
  const withKey =
    key !== undefined && isExportedTo(key, target) && storedOf(secrets, key.name, 'private-key');
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
