import { SecretsError } from './errors.ts';

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** RFC 4648 base32, section 6. */
export function base32(bytes: Uint8Array, padding: boolean): string {
  let text = '';
  let bits = 0;
  let buffer = 0;
  for (const byte of bytes) {
    buffer = ((buffer << 8) | byte) & 0xfff;
    for (bits += 8; bits >= 5; bits -= 5) text += alphabet.charAt((buffer >> (bits - 5)) & 31);
  }
  if (bits > 0) text += alphabet.charAt((buffer << (5 - bits)) & 31);
  return padding ? text.padEnd(Math.ceil(text.length / 8) * 8, '=') : text;
}

/** The bytes of base32 as people type it: any case, spaces, with or without padding. Bits that do not fill a byte are dropped. */
export function fromBase32(text: string): Uint8Array {
  const plain = text.replaceAll(/[\s-]/g, '').replace(/=+$/, '').toUpperCase();
  if (!/^[A-Z2-7]*$/.test(plain)) {
    throw new SecretsError(
      'SECRETS_VALUE',
      'base32 (letters and the digits 2 to 7) expected, something else found',
    );
  }
  const bytes: number[] = [];
  let bits = 0;
  let buffer = 0;
  for (const char of plain) {
    buffer = ((buffer << 5) | alphabet.indexOf(char)) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push((buffer >> bits) & 0xff);
  }
  return Uint8Array.from(bytes);
}
