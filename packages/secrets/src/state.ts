import * as v from 'valibot';
import type { Secret, Session } from '@ensconce/policy/session';
import { fromHex, utf8 } from '@ensconce/base/bytes';
import { generateAscii } from './ascii.ts';
import { SecretsError } from './errors.ts';
import type { Random } from './random.ts';

const base64 = v.pipe(v.string(), v.base64());
const storedSecret = v.variant('kind', [
  v.strictObject({ kind: v.literal('ascii'), value: v.string(), generated: v.boolean() }),
  v.strictObject({ kind: v.literal('binary'), value: base64, generated: v.boolean() }),
]);
const secretState = v.strictObject({
  version: v.literal(1),
  secrets: v.record(v.string(), storedSecret),
});

/** One value that CAS keeps. */
export type StoredSecret = v.InferOutput<typeof storedSecret>;
/** The values of a session's secrets: JSON-serialisable, immutable, and secret as a whole. */
export type SecretState = v.InferOutput<typeof secretState>;

/** Reads what was stored. Throws `SECRETS_STATE`; the error holds nothing of the state. */
export function parseSecretState(value: unknown): SecretState {
  const result = v.safeParse(secretState, value);
  if (result.success) return result.output;
  const at = result.issues[0]?.path?.map((item) => String(item.key)).join('.') ?? '';
  throw new SecretsError(
    'SECRETS_STATE',
    `secret state: version 1 of its form expected, something else found at "${at}"`,
  );
}

export interface CreateOptions {
  readonly random: Random;
  /** The version that is replaced: what may be kept is kept. */
  readonly previous?: { readonly session: Session; readonly state: SecretState } | undefined;
}

/**
 * The values for every secret of `session` that CAS itself makes or is given. Imported secrets and kinds that are not
 * made here have no entry. Generated ascii and binary values survive an update while name, kind and size stay the same.
 */
export function createSecrets(session: Session, options: CreateOptions): SecretState {
  const entries = session.secrets.flatMap((secret): [string, StoredSecret][] => {
    if (secret.import || secret.importAkv) return [];
    const stored = kept(secret, options.previous) ?? create(secret, options.random);
    return stored ? [[secret.name, stored]] : [];
  });
  return { version: 1, secrets: Object.fromEntries(entries) };
}

function kept(secret: Secret, previous: CreateOptions['previous']): StoredSecret | undefined {
  if (!previous || secret.value !== undefined) return undefined;
  const before = previous.session.secrets.find(({ name }) => name === secret.name);
  const stored = Object.hasOwn(previous.state.secrets, secret.name)
    ? previous.state.secrets[secret.name]
    : undefined;
  if (!before || !stored || stored.kind !== secret.kind || !stored.generated) return undefined;
  return before.size === secret.size ? stored : undefined;
}

function create(secret: Secret, random: Random): StoredSecret | undefined {
  if (secret.kind === 'ascii') {
    const given = secret.value;
    if (given === undefined)
      return { kind: 'ascii', value: generateAscii(secret.size ?? 20, random), generated: true };
    if (typeof given !== 'string')
      throw new SecretsError('SECRETS_VALUE', `secret ${secret.name}: text expected, something else found`);
    return { kind: 'ascii', value: given, generated: false };
  }
  if (secret.kind === 'binary') {
    const given = secret.value;
    if (given === undefined)
      return { kind: 'binary', value: random(secret.size ?? 20).toBase64(), generated: true };
    if (typeof given !== 'string')
      throw new SecretsError(
        'SECRETS_VALUE',
        `secret ${secret.name}: hexadecimal text expected, something else found`,
      );
    return { kind: 'binary', value: fromHex(given).toBase64(), generated: false };
  }
  return undefined;
}

/** The bytes of a value before any format. */
export function valueBytes(stored: StoredSecret): Uint8Array {
  return stored.kind === 'ascii' ? utf8(stored.value) : Uint8Array.fromBase64(stored.value);
}
