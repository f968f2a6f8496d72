import * as v from 'valibot';
import { SecretsError } from './errors.ts';

const base64 = v.pipe(v.string(), v.base64());
const instant = v.pipe(v.string(), v.isoTimestamp());

/** Keys are DER (PKCS#8, SubjectPublicKeyInfo), certificates DER; all base64. */
export const storedSecret = v.variant('kind', [
  v.strictObject({ kind: v.literal('ascii'), value: v.string(), generated: v.boolean() }),
  v.strictObject({ kind: v.literal('binary'), value: base64, generated: v.boolean() }),
  v.strictObject({ kind: v.literal('private-key'), pkcs8: base64, generated: v.boolean() }),
  v.strictObject({ kind: v.literal('public-key'), spki: base64 }),
  v.strictObject({
    kind: v.literal('x509'),
    certificate: base64,
    /** The issuers, nearest first, the root last; not the certificate itself. Empty where it signed itself. */
    issuers: v.array(base64),
    /** Absent where only the certificate was given or imported. */
    pkcs8: v.optional(base64),
    isCa: v.boolean(),
    /** When CAS makes a new one; absent where it was given. */
    renew: v.optional(instant),
    notAfter: instant,
  }),
  v.strictObject({
    kind: v.literal('pgp-key'),
    /** ASCII-armoured. */
    privateKey: v.string(),
    publicKey: v.string(),
    generated: v.boolean(),
  }),
  v.strictObject({ kind: v.literal('config-fragment'), value: v.unknown() }),
  /** What `secret_config: {store_in: !akv …}` keeps in a vault (docs/formats/vault-values.md). */
  v.strictObject({
    kind: v.literal('in-vault'),
    /** The kind of the value there. */
    of: v.picklist(['ascii', 'binary', 'private-key', 'x509', 'pgp-key']),
    vault: v.string(),
    name: v.string(),
    version: v.string(),
    /** Seals the value there, 32 bytes. */
    key: base64,
    generated: v.boolean(),
  }),
]);
/** One value that CAS keeps. */
export type StoredSecret = v.InferOutput<typeof storedSecret>;
export type StoredKind = StoredSecret['kind'];
export type Stored<K extends StoredKind> = Extract<StoredSecret, { readonly kind: K }>;

const secretState = v.strictObject({
  version: v.literal(1),
  secrets: v.record(v.string(), storedSecret),
});
const outerState = v.strictObject({ version: v.literal(1), secrets: v.looseObject({}) });
/** The values of a session's secrets: JSON-serialisable, immutable, and secret as a whole. */
export type SecretState = v.InferOutput<typeof secretState>;

/** Reads a value that another CAS sent. Throws `SECRETS_IMPORT`; the error holds nothing of the value. */
export function parseExportedValue(value: unknown): StoredSecret {
  const result = v.safeParse(storedSecret, value);
  if (result.success && result.output.kind !== 'in-vault') return result.output;
  throw new SecretsError(
    'SECRETS_IMPORT',
    'a value in the documented form expected of the other CAS, another found',
  );
}

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

/**
 * The values of a record that is authentic and was held against {@link parseSecretState} when it was written: to hold each value at each
 * reading takes longer than to decipher it. Throws `SECRETS_STATE`.
 */
export function restoreSecretState(value: unknown): SecretState {
  const result = v.safeParse(outerState, value);
  if (result.success) return result.output as SecretState;
  throw new SecretsError(
    'SECRETS_STATE',
    'secret state: version 1 of its form expected, something else found',
  );
}

/** The value of that name and kind, if there is one. */
export function storedOf<K extends StoredKind>(
  secrets: Readonly<Record<string, StoredSecret>>,
  name: string,
  kind: K,
): Stored<K> | undefined {
  const stored = Object.hasOwn(secrets, name) ? secrets[name] : undefined;
  return stored?.kind === kind ? (stored as Stored<K>) : undefined;
}
