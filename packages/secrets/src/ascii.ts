import type { Random } from './random.ts';

/** Letters and digits only: such a value survives shells, URLs, JSON and YAML without quoting. 5.95 bits each. */
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
/** Bytes from here on are thrown away, so that every character is equally likely. */
const limit = 256 - (256 % alphabet.length);

export function generateAscii(size: number, random: Random): string {
  let text = '';
  while (text.length < size) {
    for (const byte of random(Math.max(16, size))) {
      if (byte < limit && text.length < size) text += alphabet.charAt(byte % alphabet.length);
    }
  }
  return text;
}
