import { parseNitroDocument } from './quote.ts';
import type { Format } from '../format.ts';

/** An array of four, with or without tag 18, that begins with a short byte string. */
function isCoseSign1(bytes: Uint8Array): boolean {
  const at = bytes[0] === 0xd2 ? 1 : 0;
  return bytes[at] === 0x84 && ((bytes[at + 1] ?? 0) & 0xe0) === 0x40;
}

export const nitroFormat: Format = { name: 'nitro', recognises: isCoseSign1, fields: parseNitroDocument };
