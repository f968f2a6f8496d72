import { utf8 } from '@ensconce/base/bytes';
import { blockSize } from './tar-header.ts';

/**
 * One ustar header. Owner root, time 0: nothing of the machine that made the image is in it.
 *
 * @param name at most 100 bytes; ends in `/` for a directory
 */
export function tarHeader(name: string, size: number): Uint8Array {
  const isDirectory = name.endsWith('/');
  const bytes = new Uint8Array(blockSize);
  const octal = (value: number, digits: number) => utf8(value.toString(8).padStart(digits, '0'));
  const path = utf8(name);
  if (path.length > 100) throw new RangeError('a tar name has at most 100 bytes');
  bytes.set(path, 0);
  bytes.set(octal(isDirectory ? 0o555 : 0o444, 7), 100);
  bytes.set(octal(0, 7), 108);
  bytes.set(octal(0, 7), 116);
  if (size < 2 ** 33) {
    bytes.set(octal(size, 11), 124);
  } else {
    // Base 256 (GNU), which all engines read: 8 GiB and more do not fit in 11 octal digits.
    bytes[124] = 0x80;
    new DataView(bytes.buffer).setBigUint64(128, BigInt(size), false);
  }
  bytes.set(octal(0, 11), 136);
  bytes.fill(0x20, 148, 156);
  bytes[156] = isDirectory ? 0x35 : 0x30;
  bytes.set(utf8('ustar\u000000'), 257);
  bytes.set(octal(0, 7), 329);
  bytes.set(octal(0, 7), 337);
  let sum = 0;
  for (const byte of bytes) sum += byte;
  bytes.set(utf8(`${sum.toString(8).padStart(6, '0')}\0 `), 148);
  return bytes;
}

/** Zeros after a body of `size` bytes: to the end of its block, and the two blocks that end the archive. */
export function tarEnd(size: number): Uint8Array {
  return new Uint8Array(((blockSize - (size % blockSize)) % blockSize) + 2 * blockSize);
}
