import { createHmac, timingSafeEqual } from 'node:crypto';
import { utf8 } from '@ensconce/base/bytes';
import { SecretsError } from './errors.ts';

/** RFC 6238 with the parameters that authenticator apps have: SHA-1, 30 seconds, 6 digits. */
const step = 30;
const digits = 6;
/** Bytes; RFC 4226 §4 demands 128 bits. */
const shortestSecret = 16;

/**
 * Judges a one-time password. Codes of this time step and of the one before are good, each step once: keep `step` of an
 * acceptance and give it as `lastStep` next time. Nothing resets it.
 */
export function judgeOneTimePassword(
  secret: Uint8Array,
  code: string,
  now: Date,
  lastStep: number | undefined,
):
  | { readonly accepted: true; readonly step: number }
  | { readonly accepted: false; readonly reason: 'wrong' | 'used' } {
  if (secret.length < shortestSecret) {
    throw new SecretsError(
      'SECRETS_VALUE',
      `one-time passwords: a secret of at least 128 bits expected, ${secret.length * 8} found`,
    );
  }
  const current = Math.floor(now.getTime() / 1000 / step);
  for (const candidate of [current, current - 1]) {
    const expected = utf8(oneTimePassword(secret, candidate));
    const found = utf8(code);
    if (found.length !== expected.length || !timingSafeEqual(found, expected)) continue;
    if (lastStep !== undefined && candidate <= lastStep) return { accepted: false, reason: 'used' };
    return { accepted: true, step: candidate };
  }
  return { accepted: false, reason: 'wrong' };
}

/** RFC 4226 §5.3 over the number of the time step. */
export function oneTimePassword(secret: Uint8Array, counter: number): string {
  const message = Buffer.alloc(8);
  message.writeBigUInt64BE(BigInt(counter));
  const hash = createHmac('sha1', secret).update(message).digest();
  const offset = (hash.at(-1) ?? 0) & 0xf;
  const number = hash.readUInt32BE(offset) & 0x7fff_ffff;
  return String(number % 10 ** digits).padStart(digits, '0');
}
