import type { Location } from './frame.ts';
import { VolumeError } from './errors.ts';
import { newPageMemory, pageCapacity } from './page-memory.ts';
import type { PageMemory } from './page-memory.ts';

export const pageHeaderSize = 8;
const entryHeader = 3;
/** So that a page always holds at least four entries. */
export const longestKey = 255;
export const longestValue = 3800;

/** Three-way comparison of a key inside `bytes` with `key`, byte by byte. */
function compareAt(bytes: Uint8Array, at: number, length: number, key: Uint8Array): number {
  const common = Math.min(length, key.length);
  for (let i = 0; i < common; i++) {
    const difference = (bytes[at + i] as number) - (key[i] as number);
    if (difference !== 0) return difference;
  }
  return length - key.length;
}

/**
 * One node of the tree: sorted entries, packed as they are stored (docs/formats/volume.md, "Pages"):
 * length of key u8, length of value u16, key, value. Level 0 holds values, higher levels the locations of their children.
 */
export class Page {
  readonly level: number;
  readonly memory: PageMemory;
  readonly bytes: Uint8Array;
  #offsets: Uint16Array;
  count = 0;
  used = 0;
  dirty = true;
  /** Where the page was stored last. */
  location: Location | undefined;
  /** Children that are in memory, at the position of their entry. */
  readonly children: (Page | undefined)[] = [];
  /** Round of the cache in which the page was last used. */
  touched = 0;

  /** What is in `memory` does not count. */
  constructor(level: number, memory = newPageMemory()) {
    this.level = level;
    this.memory = memory;
    this.bytes = memory.bytes;
    this.#offsets = memory.offsets;
  }

  /** Position of the first entry whose key is not less than `key`. */
  find(key: Uint8Array): number {
    const bytes = this.bytes;
    const offsets = this.#offsets;
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const at = offsets[middle] as number;
      if (compareAt(bytes, at + entryHeader, bytes[at] as number, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  holds(index: number, key: Uint8Array): boolean {
    if (index >= this.count) return false;
    const at = this.#offsets[index] as number;
    return compareAt(this.bytes, at + entryHeader, this.bytes[at] as number, key) === 0;
  }

  /** Position of the child that `key` belongs to. */
  childOf(key: Uint8Array): number {
    const index = this.find(key);
    return this.holds(index, key) ? index : Math.max(0, index - 1);
  }

  key(index: number): Uint8Array {
    const at = this.#offsets[index] as number;
    return this.bytes.subarray(at + entryHeader, at + entryHeader + (this.bytes[at] as number));
  }

  /** A view that lives until the page changes. */
  value(index: number): Uint8Array {
    const at = this.#offsets[index] as number;
    const start = at + entryHeader + (this.bytes[at] as number);
    return this.bytes.subarray(start, start + this.#valueLength(at));
  }

  #valueLength(at: number): number {
    return (this.bytes[at + 1] as number) | ((this.bytes[at + 2] as number) << 8);
  }

  #size(index: number): number {
    const at = this.#offsets[index] as number;
    return entryHeader + (this.bytes[at] as number) + this.#valueLength(at);
  }

  fits(keyLength: number, valueLength: number): boolean {
    return this.used + entryHeader + keyLength + valueLength <= pageCapacity;
  }

  /** Room that replacing the value at `index` by one of `length` bytes needs more. */
  fitsValue(index: number, length: number): boolean {
    return this.used - this.#valueLength(this.#offsets[index] as number) + length <= pageCapacity;
  }

  insert(index: number, key: Uint8Array, value: Uint8Array): void {
    const size = entryHeader + key.length + value.length;
    const at = index < this.count ? (this.#offsets[index] as number) : this.used;
    this.#shift(index, at, size);
    if (this.count === this.#offsets.length) {
      const larger = new Uint16Array(this.count * 2);
      larger.set(this.#offsets);
      this.#offsets = larger;
    }
    this.#offsets.copyWithin(index + 1, index, this.count);
    this.#offsets[index] = at;
    this.count++;
    const bytes = this.bytes;
    bytes[at] = key.length;
    bytes[at + 1] = value.length & 0xff;
    bytes[at + 2] = value.length >>> 8;
    bytes.set(key, at + entryHeader);
    bytes.set(value, at + entryHeader + key.length);
    if (this.level > 0) this.children.splice(index, 0, undefined);
  }

  replace(index: number, value: Uint8Array): void {
    const at = this.#offsets[index] as number;
    const start = at + entryHeader + (this.bytes[at] as number);
    const old = this.#valueLength(at);
    if (value.length !== old) {
      this.#shift(index + 1, start + old, value.length - old);
      this.bytes[at + 1] = value.length & 0xff;
      this.bytes[at + 2] = value.length >>> 8;
    }
    this.bytes.set(value, start);
  }

  remove(index: number): void {
    const size = this.#size(index);
    this.#shift(index + 1, (this.#offsets[index] as number) + size, -size);
    this.#offsets.copyWithin(index, index + 1, this.count);
    this.count--;
    if (this.level > 0) this.children.splice(index, 1);
  }

  /** Moves the bytes from `at` on, which are those of the entries from `index` on, by `by`. */
  #shift(index: number, at: number, by: number): void {
    this.bytes.copyWithin(at + by, at, this.used);
    for (let i = index; i < this.count; i++) (this.#offsets[i] as number) += by;
    this.used += by;
  }

  /** A new page in `memory` with the entries from `index` on, which this one loses. */
  split(index: number, memory: PageMemory): Page {
    const right = new Page(this.level, memory);
    const at = index < this.count ? (this.#offsets[index] as number) : this.used;
    right.bytes.set(this.bytes.subarray(at, this.used));
    right.#load(this.count - index, this.used - at);
    this.used = at;
    this.count = index;
    if (this.level > 0) right.children.push(...this.children.splice(index));
    return right;
  }

  /** The position that divides the page into halves of about the same size. */
  middle(): number {
    let index = 1;
    while (index < this.count - 1 && (this.#offsets[index] as number) < this.used / 2) index++;
    return index;
  }

  #load(count: number, used: number): void {
    if (count > this.#offsets.length) this.#offsets = new Uint16Array(count + 64);
    this.count = count;
    this.used = used;
    let at = 0;
    for (let i = 0; i < count; i++) {
      this.#offsets[i] = at;
      if (at + entryHeader > used) this.#malformed();
      at += entryHeader + (this.bytes[at] as number) + this.#valueLength(at);
    }
    if (at !== used) this.#malformed();
  }

  #malformed(): never {
    throw new VolumeError(
      'VOLUME_DAMAGED',
      `a page of ${this.count} entries in ${this.used} bytes expected, others found`,
    );
  }

  /** The page as it is sealed; `into` has room for header and capacity. Returns the part that was written. */
  encode(into: Uint8Array): Uint8Array {
    const view = new DataView(into.buffer, into.byteOffset);
    view.setUint32(0, this.level, true);
    view.setUint32(4, this.count, true);
    into.set(this.bytes.subarray(0, this.used), pageHeaderSize);
    return into.subarray(0, pageHeaderSize + this.used);
  }

  /**
   * Reads what `encode` gave into a page in `memory`. It is authentic, but every length in it is checked all the same.
   *
   * @throws VolumeError `VOLUME_DAMAGED`
   */
  static decode(plain: Uint8Array, level: number | undefined, memory?: PageMemory): Page {
    const view = new DataView(plain.buffer, plain.byteOffset, plain.byteLength);
    const used = plain.length - pageHeaderSize;
    if (used < 0 || used > pageCapacity)
      throw new VolumeError(
        'VOLUME_DAMAGED',
        `a page of at most ${pageCapacity} bytes expected, ${used} found`,
      );
    const found = view.getUint32(0, true);
    if (found !== (level ?? found) || found > 16)
      throw new VolumeError(
        'VOLUME_DAMAGED',
        `a page of level ${level ?? 'at most 16'} expected, ${found} found`,
      );
    const page = new Page(found, memory);
    page.bytes.set(plain.subarray(pageHeaderSize));
    const count = view.getUint32(4, true);
    if (count > pageCapacity / entryHeader) page.#malformed();
    page.#load(count, used);
    if (found > 0) page.children.length = count;
    page.dirty = false;
    return page;
  }
}
