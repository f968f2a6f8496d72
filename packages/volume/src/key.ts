/** Keys of the map: inode number (6 bytes), kind, and what the kind adds, all big-endian so that order is meaning. */
export const kind = { inode: 1, entry: 2, cell: 3, xattr: 4, target: 5 } as const;
/** Kinds under inode number 0. */
export const volumeKind = { counters: 1, orphan: 2 } as const;

const two32 = 0x1_0000_0000;

function putNumber(bytes: Uint8Array, at: number, size: number, value: number): void {
  let rest = value;
  for (let i = at + size - 1; i >= at; i--) {
    bytes[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
}

function start(ino: number, kindOf: number, more: number): Uint8Array {
  return putStart(new Uint8Array(7 + more), ino, kindOf);
}

function putStart(key: Uint8Array, ino: number, kindOf: number): Uint8Array {
  const high = Math.floor(ino / two32);
  key[0] = high >>> 8;
  key[1] = high;
  key[2] = ino >>> 24;
  key[3] = ino >>> 16;
  key[4] = ino >>> 8;
  key[5] = ino;
  key[6] = kindOf;
  return key;
}

export const hashSize = 6;
export const cellSize = 5;

// The three kinds of key that every operation needs are made in the same bytes again: less for the garbage collector.
const reused = {
  inode: new Uint8Array(7),
  entry: new Uint8Array(7 + hashSize),
  cell: new Uint8Array(7 + cellSize),
};

/** Valid until the next call. */
export function inodeKey(ino: number): Uint8Array {
  return putStart(reused.inode, ino, kind.inode);
}

/** `hash` has 48 bits. Valid until the next call. */
export function entryKey(ino: number, hash: number): Uint8Array {
  const key = putStart(reused.entry, ino, kind.entry);
  putNumber(key, 7, hashSize, hash);
  return key;
}

/** Valid until the next call. */
export function cellKey(ino: number, cell: number): Uint8Array {
  const key = putStart(reused.cell, ino, kind.cell);
  putNumber(key, 7, cellSize, cell);
  return key;
}

export function xattrKey(ino: number, name: Uint8Array): Uint8Array {
  const key = start(ino, kind.xattr, name.length);
  key.set(name, 7);
  return key;
}

export function targetKey(ino: number): Uint8Array {
  return start(ino, kind.target, 0);
}

export const countersKey = start(0, volumeKind.counters, 0);

export function orphanKey(ino: number): Uint8Array {
  const key = start(0, volumeKind.orphan, 6);
  putNumber(key, 7, 6, ino);
  return key;
}

export function orphanOf(key: Uint8Array): number {
  return numberAt(key, 7, 6);
}

export function numberAt(key: Uint8Array, at: number, size: number): number {
  let value = 0;
  for (let i = at; i < at + size; i++) value = value * 256 + (key[i] as number);
  return value;
}

export function inoOf(key: Uint8Array): number {
  return numberAt(key, 0, 6);
}

/** Whether `key` is of this inode and kind. */
export function isOf(key: Uint8Array, ino: number, kindOf: number): boolean {
  return key[6] === kindOf && inoOf(key) === ino;
}

/** The 48-bit hash that orders a directory: two rounds of a multiplicative hash, seeded per volume. No secrecy in it. */
export function nameHash(name: Uint8Array, seed: number): number {
  let a = seed ^ 0x9e37_79b9;
  let b = ~seed ^ name.length;
  for (let i = 0; i < name.length; i++) {
    const byte = name[i] as number;
    a = Math.imul(a ^ byte, 0x85eb_ca6b);
    a = (a << 13) | (a >>> 19);
    b = Math.imul(b ^ byte, 0xc2b2_ae35);
    b = (b << 15) | (b >>> 17);
  }
  a = Math.imul(a ^ (a >>> 16), 0x7feb_352d);
  b = Math.imul(b ^ (b >>> 15), 0x846c_a68b);
  a ^= a >>> 15;
  b ^= b >>> 16;
  return ((a ^ (b >>> 7)) >>> 0) * 0x1_0000 + (((b ^ (a << 3)) >>> 0) & 0xffff);
}
