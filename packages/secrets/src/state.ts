import type { Secret, Session } from '@ensconce/policy/session';
import { neededSecrets } from './needed.ts';
import type { Random } from './random.ts';
import { createAscii, createBinary } from './random-value.ts';
import type { SecretState, StoredSecret } from './stored.ts';

export { parseSecretState, restoreSecretState, type SecretState, type StoredSecret } from './stored.ts';

/** The version of the session that is replaced: what may be kept of its values is kept. */
export interface Previous {
  readonly session: Session;
  readonly state: SecretState;
}

/**
 * The ascii and binary values of `session`, at once. {@link generateSecrets} makes every kind. Generated values survive
 * an update while name, kind and size stay the same.
 */
export function createSecrets(
  session: Session,
  options: { readonly random: Random; readonly previous?: Previous | undefined },
): SecretState {
  const entries = session.secrets.flatMap((secret): [string, StoredSecret][] => {
    if (secret.import || secret.importAkv) return [];
    const stored = keptValue(secret, options.previous) ?? createValue(secret, options.random);
    return stored ? [[secret.name, stored]] : [];
  });
  return { version: 1, secrets: Object.fromEntries(entries) };
}

/** The value that survives an update (§1.4): never one that was given, never one whose parameters changed. */
export function keptValue(secret: Secret, previous: Previous | undefined): StoredSecret | undefined {
  if (!previous || secret.value !== undefined) return undefined;
  const before = previous.session.secrets.find(({ name }) => name === secret.name);
  const { secrets } = previous.state;
  const stored = Object.hasOwn(secrets, secret.name) ? secrets[secret.name] : undefined;
  const kind = stored?.kind === 'in-vault' ? stored.of : stored?.kind;
  if (!before || !stored || before.kind !== secret.kind || kind !== secret.kind) return undefined;
  if (!('generated' in stored) || !stored.generated) return undefined;
  if (kind === 'x509') return undefined;
  if (kind === 'private-key') {
    return before.migrate && secret.migrate && before.keyType === secret.keyType ? stored : undefined;
  }
  return before.size === secret.size ? stored : undefined;
}

function createValue(secret: Secret, random: Random): StoredSecret | undefined {
  if (secret.kind === 'ascii') return createAscii(secret, random);
  if (secret.kind === 'binary') return createBinary(secret, random);
  return undefined;
}

/**
 * Whether the value of `secret` is kept in the session's vault: whatever CAS makes, but for what the token for the vault
 * is made of. Given values stand in the session's text, which CAS keeps.
 */
export function belongsInVault(session: Session, secret: Secret): boolean {
  const { secretConfig } = session;
  if (secretConfig?.storeIn !== 'akv' || secret.kind === 'config-fragment' || secret.kind === 'public-key')
    return false;
  if (secret.value !== undefined && (secret.kind === 'ascii' || secret.kind === 'binary')) return false;
  return !neededSecrets(session, [secretConfig.token]).has(secret.name);
}
