import { Buffer } from 'node:buffer';
import { ImageError } from './errors.ts';

export const blockSize = 512;

/** The fields of one 512-byte header block (POSIX.1-1988 ustar, GNU and v7), before any extension. */
export interface TarHeader {
  readonly name: Uint8Array;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly type: string;
  readonly link: Uint8Array;
  readonly major: number;
  readonly minor: number;
  readonly isGnu: boolean;
}

export function brokenTar(message: string, cause?: unknown): ImageError {
  return new ImageError('IMAGE_TAR', `layer: ${message}`, {
    cause,
    hint: 'the layer is no valid tar archive; build the image again',
  });
}

/** A field up to its first NUL. */
export function text(block: Uint8Array, at: number, length: number): Uint8Array {
  const field = block.subarray(at, at + length);
  const end = field.indexOf(0);
  return end < 0 ? field : field.subarray(0, end);
}

/** A number: octal digits, or (GNU) big-endian base 256 where the first bit is set. */
export function number(block: Uint8Array, at: number, length: number, field: string): number {
  const first = block[at] as number;
  if ((first & 0x80) !== 0) {
    let value = first & 0x40 ? BigInt(first) - 0x100n : BigInt(first & 0x3f);
    for (let i = at + 1; i < at + length; i++) value = (value << 8n) | BigInt(block[i] as number);
    if (value > BigInt(Number.MAX_SAFE_INTEGER) || value < BigInt(Number.MIN_SAFE_INTEGER))
      throw brokenTar(`a ${field} below 2⁵³ expected, a larger one found`);
    return Number(value);
  }
  const digits = Buffer.from(text(block, at, length))
    .toString('latin1')
    .trim();
  if (digits === '') return 0;
  if (!/^[0-7]+$/.test(digits))
    throw brokenTar(`an octal ${field} expected, ${JSON.stringify(digits)} found`);
  return Number.parseInt(digits, 8);
}

function checkSum(block: Uint8Array): void {
  const expected = number(block, 148, 8, 'checksum');
  let unsigned = 8 * 0x20;
  let signed = unsigned;
  for (let i = 0; i < blockSize; i++) {
    if (i === 148) i = 156;
    const byte = block[i] as number;
    unsigned += byte;
    signed += byte < 0x80 ? byte : byte - 0x100;
  }
  if (expected !== unsigned && expected !== signed)
    throw brokenTar(`a header with checksum ${unsigned} expected, ${expected} found`);
}

/** Reads one header block from an untrusted archive; `undefined` for the block of zeros that ends it. */
export function parseTarHeader(block: Uint8Array): TarHeader | undefined {
  if (block[0] === 0 && block.every((byte) => byte === 0)) return undefined;
  checkSum(block);
  const magic = Buffer.from(block.subarray(257, 265)).toString('latin1');
  const isUstar = magic.startsWith('ustar\0');
  const isGnu = magic === 'ustar  \0';
  const shortName = text(block, 0, 100);
  const prefix = isUstar ? text(block, 345, 155) : new Uint8Array(0);
  return {
    name: (prefix.length > 0 ? Buffer.concat([prefix, Buffer.from('/'), shortName]) : shortName).slice(),
    mode: number(block, 100, 8, 'mode'),
    uid: number(block, 108, 8, 'uid'),
    gid: number(block, 116, 8, 'gid'),
    size: number(block, 124, 12, 'size'),
    mtime: number(block, 136, 12, 'time'),
    type: String.fromCharCode(block[156] as number),
    link: text(block, 157, 100).slice(),
    major: isUstar || isGnu ? number(block, 329, 8, 'device number') : 0,
    minor: isUstar || isGnu ? number(block, 337, 8, 'device number') : 0,
    isGnu,
  };
}
