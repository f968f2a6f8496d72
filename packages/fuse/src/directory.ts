import { Entry, putEntry, putU64 } from './attributes.ts';
import { entrySize } from './protocol.ts';

const direntHeader = 24;
const dot = new Uint8Array([0x2e]);
const dotDot = new Uint8Array([0x2e, 0x2e]);
/** The inode number that libfuse gives where none is known; 0 would make the C library skip the entry. */
const unknownInode = 0xffff_ffff;
const noEntry = new Entry();

/**
 * Takes the entries of READDIR (`plus` false) or READDIRPLUS (`plus` true) into the reply.
 * Each `add…` returns false, and takes nothing, when the reply is full.
 */
export class DirectoryWriter {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;
  #end = 0;
  /** Whether the kernel asked for attributes: each `addEntry` whose node is not 0 then counts as one lookup of it. */
  plus = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Starts a reply of at most `size` bytes at `at`. */
  start(at: number, size: number, plus: boolean): void {
    this.#at = at;
    this.#end = Math.min(at + size, this.#bytes.length);
    this.plus = plus;
  }

  get position(): number {
    return this.#at;
  }

  /** Takes back what was added since `position` was `position`. */
  backTo(position: number): void {
    this.#at = position;
  }

  /** `.` and `..`, at offsets 0 and 1; the rest of a directory then begins at offset 2. */
  addDots(offset: number, ino: number): boolean {
    if (offset < 1 && !this.add(dot, ino, 0o040000, 1)) return false;
    return offset >= 2 || this.add(dotDot, unknownInode, 0o040000, 2);
  }

  /**
   * @param mode the file type bits of `mode`
   * @param next the offset from which the kernel goes on after this entry, not 0
   */
  add(name: Uint8Array, ino: number, mode: number, next: number): boolean {
    if (this.plus) {
      noEntry.attributes.ino = ino;
      noEntry.attributes.mode = mode;
      return this.addEntry(name, noEntry, next);
    }
    return this.#dirent(this.#at, name, ino, mode, next);
  }

  /** An entry with what READDIRPLUS wants; READDIR takes inode number and type from it. */
  addEntry(name: Uint8Array, entry: Entry, next: number): boolean {
    const { ino, mode } = entry.attributes;
    if (!this.plus) return this.#dirent(this.#at, name, ino, mode, next);
    const at = this.#at;
    if (!this.#dirent(at + entrySize, name, ino, mode, next)) return false;
    putEntry(this.#view, at, entry);
    return true;
  }

  #dirent(at: number, name: Uint8Array, ino: number, mode: number, next: number): boolean {
    const length = name.length;
    const size = (direntHeader + length + 7) & ~7;
    if (at + size > this.#end) return false;
    const view = this.#view;
    putU64(view, at, ino);
    putU64(view, at + 8, next);
    view.setUint32(at + 16, length, true);
    view.setUint32(at + 20, (mode & 0o170000) >>> 12, true);
    this.#bytes.set(name, at + direntHeader);
    this.#bytes.fill(0, at + direntHeader + length, at + size);
    this.#at = at + size;
    return true;
  }
}
