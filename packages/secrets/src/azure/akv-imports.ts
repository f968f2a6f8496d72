import type { Secret, Session } from '@ensconce/policy/session';
import { substituteSecrets } from '@ensconce/policy/substitution';
import { SecretsError } from '../errors.ts';
import { generateSecrets } from '../generate.ts';
import { neededSecrets } from '../needed.ts';
import type { Random } from '../random.ts';
import { valueBytes } from '../random-value.ts';
import { secretLookup } from '../render.ts';
import { storedOf, type StoredSecret } from '../stored.ts';
import type { Application, Azure } from './azure.ts';
import { openEnvelope } from './envelope.ts';

export interface AkvOptions {
  readonly azure: Azure;
  readonly now: Date;
  readonly random: Random;
}

type Known = Readonly<Record<string, StoredSecret>>;

/**
 * The values of those secrets among `names` that come from Azure: imports from vaults, made of the vault's text as if the
 * session gave it as `value` (kind ascii where it names none), and tokens of applications as text. `known` has what the
 * session has or imports otherwise. A token may be made of an import; a circle of them is refused. Throws `SECRETS_IMPORT`,
 * or `SECRETS_UNAVAILABLE` where it may work later.
 */
export async function resolveAzure(
  session: Session,
  names: ReadonlySet<string>,
  known: Known,
  options: AkvOptions,
): Promise<Record<string, StoredSecret>> {
  const found: Record<string, StoredSecret> = {};
  let open = session.secrets.filter((secret) => names.has(secret.name) && isFromAzure(secret));
  while (open.length > 0) {
    const waiting = new Set(open.map(({ name }) => name));
    const ready = open.filter(({ name }) =>
      [...neededSecrets(session, [name])].every((needed) => needed === name || !waiting.has(needed)),
    );
    if (ready.length === 0) {
      throw new SecretsError(
        'SECRETS_IMPORT',
        `secrets ${[...waiting].join(', ')}: values of Azure that are made of others expected, a circle found`,
      );
    }
    const values = await Promise.all(
      ready.map(async (secret) => {
        const all = { ...known, ...found };
        return [secret.name, await azureValue(secret, session, all, options)] as const;
      }),
    );
    for (const [name, value] of values) found[name] = value;
    open = open.filter(({ name }) => !Object.hasOwn(found, name));
  }
  return found;
}

function isFromAzure({ kind, import: imported, importAkv }: Secret): boolean {
  return imported === undefined && (importAkv !== undefined || kind === 'aad-token');
}

async function azureValue(
  secret: Secret,
  session: Session,
  known: Known,
  options: AkvOptions,
): Promise<StoredSecret> {
  if (secret.importAkv === undefined) {
    const value = await options.azure.token(applicationOf(secret, session, known));
    return { kind: 'ascii', value, generated: false };
  }
  const { vault, secretName, token, decryptionKey } = secret.importAkv;
  const what = `secret ${secret.name}`;
  const text = await options.azure.read({
    what,
    vault,
    name: secretName,
    token: tokenIn(token, known),
  });
  const value = decryptionKey === undefined ? text : opened(secret, text, decryptionKey, known);
  const given: Secret = { ...secret, kind: secret.kind ?? 'ascii', value, importAkv: undefined };
  // Certificates of a vault are held against the keys and issuers of this session.
  const others = session.secrets.filter(({ name }) => name !== secret.name);
  const { secrets } = await generateSecrets(
    { ...session, secrets: [given, ...others.map(asImport)] },
    { now: options.now, random: options.random, imported: known },
  );
  const stored = secrets[secret.name];
  if (stored !== undefined) return stored;
  throw new SecretsError('SECRETS_IMPORT', `${what}: a value that its kind can take expected, another found`);
}

/** Nothing is made of the others: they only stand for what is known of them. */
function asImport(secret: Secret): Secret {
  return { ...secret, import: { from: { session: '/' }, secret: secret.name }, importAkv: undefined };
}

/** The token of an aad-token secret that has been resolved, of this session or imported. */
export function tokenIn(name: string, known: Known): string {
  const stored = storedOf(known, name, 'ascii');
  if (stored !== undefined) return stored.value;
  throw new SecretsError('SECRETS_IMPORT', `aad-token ${name}: a token expected, none found`);
}

function applicationOf(secret: Secret, session: Session, known: Known): Application {
  const { name, tenantId = '', clientId = '', applicationSecret, privateKey = '' } = secret;
  if (applicationSecret !== undefined) {
    const lookup = secretLookup(session, { version: 1, secrets: known });
    return { name, tenantId, clientId, proof: { password: substituteSecrets(applicationSecret, lookup) } };
  }
  const key = storedOf(known, privateKey, 'private-key');
  if (key === undefined) {
    throw new SecretsError('SECRETS_IMPORT', `aad-token ${name}: its private_key expected, none found`);
  }
  const { pkcs8 } = key;
  return { name, tenantId, clientId, proof: { pkcs8, thumbprint: secret.certificateThumbprint ?? '' } };
}

function opened(secret: Secret, text: string, decryptionKey: string, known: Known): string {
  const key = storedOf(known, decryptionKey, 'binary');
  try {
    if (key === undefined) throw new TypeError(`a value of ${decryptionKey} expected, none found`);
    return openEnvelope(text, valueBytes(key));
  } catch (cause) {
    throw new SecretsError(
      'SECRETS_IMPORT',
      `secret ${secret.name}: a value encrypted with its decryption_key expected, another found`,
      { cause },
    );
  }
}
