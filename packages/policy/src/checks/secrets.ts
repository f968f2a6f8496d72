import { PolicyError } from '../errors.ts';
import { suggest } from '../form/suggestion.ts';
import { formatsOf, resolveReference } from '../secret-format.ts';
import type { Secret, Session } from '../session.ts';
import { references, type SecretReference } from '../substitution.ts';
import type { Check, Report } from './check.ts';

/** Every `$$SCONE::…$$` names a secret of this session and a format that its kind has. */
export const knownReferences: Check = (session, report) => {
  for (const service of session.services) {
    for (const argument of service.command) check(session, argument, service, 'command', report);
    for (const value of Object.values(service.environment))
      check(session, value, service, 'environment', report);
    for (const variant of service.attestation) {
      const texts = [
        ...(variant.mrenclave ?? []),
        ...(variant.fragments ?? []),
        ...Object.values(variant.signer ?? {}),
      ];
      for (const text of texts)
        if (typeof text === 'string') check(session, text, service, 'attestation', report);
    }
    for (const platform of service.platforms ?? []) check(session, platform, service, 'platforms', report);
    check(session, service.fspf?.key, service, 'fspf_key', report);
    check(session, service.fspf?.tag, service, 'fspf_tag', report);
    check(session, service.oneTimePasswordSharedSecret, service, 'one_time_password_shared_secret', report);
  }
  for (const image of session.images) {
    for (const file of image.injectionFiles) check(session, file.content, file, 'content', report);
    for (const layer of image.layers) check(session, layer.key, layer, 'key', report);
  }
  for (const volume of session.volumes) {
    check(session, volume.fspfKey, volume, 'fspf_key', report);
    check(session, volume.fspfTag, volume, 'fspf_tag', report);
  }
  for (const secret of session.secrets) {
    for (const value of Object.values(secret.payload ?? {})) check(session, value, secret, 'payload', report);
    check(session, secret.applicationSecret, secret, 'application_secret', report);
  }
};

function check(session: Session, text: string | undefined, part: object, key: string, report: Report): void {
  for (const reference of readReferences(text ?? '', part, key, report)) {
    if (reference.name.startsWith('self::')) {
      if (key !== 'payload')
        report.error(
          part,
          key,
          `$$SCONE::${reference.name}$$ in the payload of a jwt expected, found elsewhere`,
        );
      continue;
    }
    const resolved = resolveReference(reference, session);
    if (!resolved) {
      const names = session.secrets.map(({ name }) => name);
      report.error(part, key, `a secret of this session expected, $$SCONE::${reference.name}$$ found`, () =>
        suggest(reference.name, names),
      );
      continue;
    }
    const formats = formatsOf(resolved.secret.kind);
    if (formats && !formats.includes(resolved.format)) {
      report.error(
        part,
        key,
        `a format of the kind ${resolved.secret.kind} expected (${formats.map((name) => (name === '' ? 'none' : `:${name}`)).join(', ')}), :${resolved.format} found`,
        () => suggest(resolved.format, formats),
      );
    }
  }
}

/** Splitting a command can put a reference together that no single value was: it is checked again here. */
function readReferences(text: string, part: object, key: string, report: Report): readonly SecretReference[] {
  try {
    return references(text);
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    report.error(part, key, error.message);
    return [];
  }
}

/** What one secret needs of another is there, of the right kind, and not in a circle. */
export const relatedSecrets: Check = (session, report) => {
  const byName = new Map(session.secrets.map((secret) => [secret.name, secret]));
  const need = (
    secret: Secret,
    key: string,
    name: string | undefined,
    kind: NonNullable<Secret['kind']>,
  ): void => {
    if (name === undefined) return;
    const other = byName.get(name);
    if (!other)
      report.error(secret, key, `a secret of this session expected, \`${name}\` found`, () =>
        suggest(name, byName.keys()),
      );
    else if (other.kind !== undefined && other.kind !== kind) {
      report.error(
        secret,
        key,
        `a secret of the kind ${kind} expected, \`${name}\` of the kind ${other.kind} found`,
      );
    }
  };
  const { secretConfig } = session;
  if (secretConfig?.storeIn === 'akv') {
    const token = byName.get(secretConfig.token);
    if (token === undefined || (token.kind !== undefined && token.kind !== 'aad-token')) {
      report.error(
        session,
        'secret_config',
        `an aad-token of this session as token expected, \`${secretConfig.token}\` found`,
        () => suggest(secretConfig.token, byName.keys()),
      );
    }
  }
  for (const secret of session.secrets) {
    need(secret, 'private_key', secret.privateKey, 'private-key');
    need(secret, 'issuer', secret.issuer, 'x509-ca');
    need(secret, 'signer', secret.signer, 'private-key');
    need(secret, 'import_akv', secret.importAkv?.token, 'aad-token');
    need(secret, 'import_akv', secret.importAkv?.decryptionKey, 'binary');
    if (secret.exportPublic && secret.kind !== undefined && noPublicPart.has(secret.kind)) {
      report.error(
        secret,
        'export_public',
        `a kind that has a public part expected with export_public, ${secret.kind} found`,
        () => (secret.kind === 'private-key' ? 'public-key' : undefined),
      );
    }
    if (secret.kind === 'jwt' && (secret.import !== undefined || secret.export.length > 0)) {
      report.warning(
        secret,
        secret.import === undefined ? 'export' : 'import',
        'a jwt is signed for the service that gets it and goes to no other session: a start that needs it is refused; export its signer, or a public-key',
      );
    }
    if (secret.export.some((target) => target.kind === 'namespace' && target.namespace === '/')) {
      report.warning(secret, 'export', 'namespace /: every session of this CAS may import it');
    }
    if (isCircular(secret, byName))
      report.error(secret, 'issuer', 'a chain of issuers that ends expected, a circle found');
    if (secret.import || secret.importAkv || secret.value !== undefined) continue;
    if (secret.kind === 'public-key' && secret.privateKey === undefined) {
      report.error(secret, undefined, 'a private_key or a value expected for a public key, none found');
    }
    if ((secret.kind === 'x509' || secret.kind === 'x509-ca') && secret.privateKey === undefined) {
      if (/^0\.[12]$/.test(session.version))
        report.warning(secret, undefined, 'without private_key CAS makes a new key for each certificate');
      else report.error(secret, undefined, 'the key `private_key` expected since version 0.3, none found');
    }
  }
};

/** Kinds of which nothing may be shown to everybody. */
const noPublicPart: ReadonlySet<string> = new Set(['private-key', 'aad-token', 'config-fragment', 'jwt']);

function isCircular(secret: Secret, byName: ReadonlyMap<string, Secret>): boolean {
  const seen = new Set([secret.name]);
  for (let issuer = secret.issuer; issuer !== undefined; issuer = byName.get(issuer)?.issuer) {
    if (issuer === secret.name) return true;
    if (seen.has(issuer)) return false;
    seen.add(issuer);
  }
  return false;
}
