import { toHex, utf8 } from '@ensconce/base/bytes';
import { resolveReference } from '@ensconce/policy/secret-format';
import type { Session } from '@ensconce/policy/session';
import type { Lookup } from '@ensconce/policy/substitution';
import { base32 } from './base32.ts';
import { SecretsError } from './errors.ts';
import { valueBytes, type SecretState } from './state.ts';

/** One secret in one format (`hex`, `''`). Throws `SECRETS_FORMAT`. */
export function renderSecret(state: SecretState, name: string, format: string): Uint8Array {
  const stored = Object.hasOwn(state.secrets, name) ? state.secrets[name] : undefined;
  if (!stored) throw new SecretsError('SECRETS_FORMAT', `secret ${name}: a value expected, none found`);
  const bytes = valueBytes(stored);
  const encode = Object.hasOwn(byteFormats, format) ? byteFormats[format] : undefined;
  if (!encode)
    throw new SecretsError(
      'SECRETS_FORMAT',
      `secret ${name}: a format of the kind ${stored.kind} expected, :${format} found`,
    );
  return encode(bytes);
}

const byteFormats: Readonly<Record<string, (bytes: Uint8Array) => Uint8Array>> = {
  '': (bytes) => bytes,
  bin: (bytes) => bytes,
  hex: (bytes) => utf8(toHex(bytes)),
  base64: (bytes) => utf8(bytes.toBase64()),
  base64url: (bytes) => utf8(bytes.toBase64({ alphabet: 'base64url', omitPadding: true })),
  base32: (bytes) => utf8(base32(bytes, true)),
  base32nopad: (bytes) => utf8(base32(bytes, false)),
};

/** What substitution takes: references of this session to the values of this state. */
export function secretLookup(session: Session, state: SecretState): Lookup {
  return (reference) => {
    const resolved = resolveReference(reference, session);
    if (!resolved || !Object.hasOwn(state.secrets, resolved.secret.name)) return undefined;
    return renderSecret(state, resolved.secret.name, resolved.format);
  };
}
