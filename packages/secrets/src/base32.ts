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
