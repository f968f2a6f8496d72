import { createHash } from 'node:crypto';
import * as v from 'valibot';
import { parseJson } from '@ensconce/base/json';
import { utf8 } from '@ensconce/base/bytes';
import type { Session } from '@ensconce/policy/session';
import { longestVaultValue, type Azure } from './azure/azure.ts';
import { openEnvelope, sealEnvelope } from './azure/envelope.ts';
import { SecretsError } from './errors.ts';
import type { Random } from './random.ts';
import { belongsInVault } from './state.ts';
import { storedSecret, type SecretState, type Stored, type StoredSecret } from './stored.ts';

/** What lies in a vault, sealed: it names its place, so that values cannot be exchanged. */
const vaultValue = v.strictObject({
  format: v.literal('ensconce-vault-value/1'),
  session: v.string(),
  secret: v.string(),
  value: storedSecret,
});

export interface VaultAccess {
  readonly azure: Azure;
  readonly random: Random;
  /** The access token of the session's `secret_config`. */
  readonly token: string;
}

/** The state with the values of `names` that lie in the vault in their place. */
export async function loadFromVault(
  session: Session,
  state: SecretState,
  names: ReadonlySet<string>,
  access: VaultAccess,
): Promise<SecretState> {
  const loaded = await Promise.all(
    Object.entries(state.secrets).map(async ([name, stored]) => {
      if (stored.kind !== 'in-vault' || !names.has(name)) return [name, stored] as const;
      return [name, await load(session, name, stored, access)] as const;
    }),
  );
  return { version: 1, secrets: Object.fromEntries(loaded) };
}

async function load(
  session: Session,
  secret: string,
  stored: Stored<'in-vault'>,
  { azure, token }: VaultAccess,
): Promise<StoredSecret> {
  const { vault, name, version, key } = stored;
  const what = `secret ${secret}`;
  const text = await azure.read({ what, vault, name, token }, version);
  try {
    const json: unknown = parseJson(
      utf8(openEnvelope(text, Uint8Array.fromBase64(key))),
      what,
      longestVaultValue,
    );
    const found = v.parse(vaultValue, json);
    if (found.session === session.name && found.secret === secret && found.value.kind === stored.of)
      return found.value;
  } catch {
    // The cause would quote the value.
  }
  throw new SecretsError(
    'SECRETS_IMPORT',
    `${what}: the value that CAS put into the vault expected, another found`,
  );
}

/**
 * Puts what has changed from `before` to `after` and belongs in the vault into it, under new versions; resolves to the
 * state that CAS keeps once all of it is there. What is not kept afterwards, as another was faster, is of no use to anybody:
 * its key is gone.
 */
export async function saveToVault(
  session: Session,
  hash: string,
  before: SecretState,
  after: SecretState,
  access: VaultAccess,
): Promise<SecretState> {
  const saved = await Promise.all(
    session.secrets.map(async (secret) => {
      const stored = after.secrets[secret.name];
      if (stored === undefined || stored === before.secrets[secret.name]) return [];
      if (!belongsInVault(session, secret)) return [[secret.name, stored] as const];
      return [[secret.name, await save(session, hash, secret.name, stored, access)] as const];
    }),
  );
  return { version: 1, secrets: Object.fromEntries(saved.flat()) };
}

async function save(
  session: Session,
  hash: string,
  secret: string,
  stored: StoredSecret,
  { azure, random, token }: VaultAccess,
): Promise<StoredSecret> {
  const { secretConfig } = session;
  if (secretConfig?.storeIn !== 'akv' || stored.kind === 'in-vault') return stored;
  if (stored.kind === 'public-key' || stored.kind === 'config-fragment') return stored;
  const what = `secret ${secret}`;
  const key = random(32);
  const value = { format: 'ensconce-vault-value/1', session: session.name, secret, value: stored };
  const sealed = sealEnvelope(JSON.stringify(value), key, random(12));
  if (sealed.length > longestVaultValue) {
    throw new SecretsError(
      'SECRETS_VALUE',
      `${what}: a value that fits into a vault (25,600 characters) expected, a longer one found`,
    );
  }
  const { vault } = secretConfig;
  // The vault's keeper could try what an unsalted hash covers.
  const name = vaultName(session.salt === undefined ? random(32).toHex() : hash, secret);
  const version = await azure.write({ what, vault, name, token }, sealed);
  const generated = !('generated' in stored) || stored.generated;
  return { kind: 'in-vault', of: stored.kind, vault, name, version, key: key.toBase64(), generated };
}

/** `cas-<hash>-<secret-tag>`; the hash is the session's, or random where that has no salt; the tag is the first 16 bytes of SHA-256 over the secret's name, hex. */
export function vaultName(hash: string, secret: string): string {
  return `cas-${hash}-${createHash('sha256').update(secret).digest('hex').slice(0, 32)}`;
}
