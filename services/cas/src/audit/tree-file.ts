import { closeSync, constants, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { hashSize, type ReadHash } from '@ensconce/audit/tree';

const offsetSize = 8;
/** Bytes that wait in memory until somebody reads. */
const bufferSize = 65_536;

/** Appends to an open file, some of it still in memory, and reads what was appended. */
class Column {
  readonly #file: number;
  #buffered: Uint8Array[] = [];
  #waiting = 0;
  #size = 0;

  constructor(file: number) {
    this.#file = file;
  }

  append(bytes: Uint8Array): void {
    this.#buffered.push(bytes);
    this.#waiting += bytes.length;
    if (this.#waiting >= bufferSize) this.#flush();
  }

  #flush(): void {
    const all = Buffer.concat(this.#buffered);
    for (let at = 0; at < all.length;) at += writeSync(this.#file, all, at, all.length - at, this.#size + at);
    this.#size += all.length;
    this.#buffered = [];
    this.#waiting = 0;
  }

  read(at: number, length: number): Buffer {
    if (at + length > this.#size && this.#waiting > 0) this.#flush();
    const bytes = Buffer.alloc(length);
    if (readSync(this.#file, bytes, 0, length, at) !== length)
      throw new RangeError(`audit tree: ${length} bytes at ${at} expected, the end found`);
    return bytes;
  }

  close(): void {
    closeSync(this.#file);
  }
}

/**
 * What proofs need besides the log: the hashes of all complete subtrees, and where each line begins. Made anew from the log at every
 * start, in files without a name beside it, so no state depends on them. The disk is untrusted: what is read here counts only once it
 * leads to the root that is in memory.
 */
export class TreeFile {
  readonly #hashes: Column;
  readonly #offsets: Column;

  constructor(folder: string) {
    this.#hashes = new Column(openNameless(folder, 'hashes'));
    this.#offsets = new Column(openNameless(folder, 'offsets'));
  }

  /** Adds a record: the byte at which its line ends, line feed included, and the hashes that it adds to the tree. */
  append(end: number, hashes: readonly Uint8Array[]): void {
    const offset = new Uint8Array(offsetSize);
    new DataView(offset.buffer).setFloat64(0, end);
    this.#offsets.append(offset);
    for (const hash of hashes) this.#hashes.append(hash);
  }

  readonly read: ReadHash = (index) => this.#hashes.read(index * hashSize, hashSize);

  /** Where the line of a record begins in the log. */
  offset(sequence: number): number {
    return sequence === 1 ? 0 : this.end(sequence - 1);
  }

  /** Where the line of a record ends, line feed included. */
  end(sequence: number): number {
    return this.#offsets.read((sequence - 1) * offsetSize, offsetSize).readDoubleBE(0);
  }

  close(): void {
    this.#hashes.close();
    this.#offsets.close();
  }
}

function openNameless(folder: string, name: string): number {
  const path = join(folder, `audit.${name}.${process.pid}`);
  const { O_RDWR, O_CREAT, O_EXCL } = constants;
  const file = openSync(path, O_RDWR | O_CREAT | O_EXCL, 0o600);
  unlinkSync(path);
  return file;
}
