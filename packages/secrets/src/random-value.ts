import { fromHex, utf8 } from '@ensconce/base/bytes';
import type { Secret } from '@ensconce/policy/session';
import { generateAscii } from './ascii.ts';
import { SecretsError } from './errors.ts';
import type { Random } from './random.ts';
import type { Stored } from './stored.ts';

export function createAscii(secret: Secret, random: Random): Stored<'ascii'> {
  const given = secret.value;
  if (given === undefined)
    return { kind: 'ascii', value: generateAscii(secret.size ?? 20, random), generated: true };
  if (typeof given !== 'string') throw wrongValue(secret, 'text');
  return { kind: 'ascii', value: given, generated: false };
}

export function createBinary(secret: Secret, random: Random): Stored<'binary'> {
  const given = secret.value;
  if (given === undefined)
    return { kind: 'binary', value: random(secret.size ?? 20).toBase64(), generated: true };
  if (typeof given !== 'string') throw wrongValue(secret, 'hexadecimal text');
  return { kind: 'binary', value: fromHex(given).toBase64(), generated: false };
}

/** Never says what was found: it may be the secret. */
export function wrongValue(secret: Secret, expected: string, cause?: unknown): SecretsError {
  return new SecretsError(
    'SECRETS_VALUE',
    `secret ${secret.name}: ${expected} expected, something else found`,
    {
      cause,
    },
  );
}

/** The bytes of a value before any format. */
export function valueBytes(stored: Stored<'ascii'> | Stored<'binary'>): Uint8Array {
  return stored.kind === 'ascii' ? utf8(stored.value) : Uint8Array.fromBase64(stored.value);
}
