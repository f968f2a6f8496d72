import type { SealedCaches } from './caches.ts';
import { SealedLayerError } from './errors.ts';
import { decodeUnitRecord, pageSize, readU64, summarySize, unitRecordSize, viewOf } from './format.ts';
import type { Units } from './units.ts';

/** The index of one layer, byte-addressed and read page by page. Addresses are checked by the caller against regions. */
export class IndexPages {
  readonly #units: Units;
  readonly #table: Uint8Array;
  readonly #end: number;
  readonly #caches: SealedCaches;
  readonly #prefix: number;
  /** The page used last, so that the fields of one record cost one look-up. */
  #current = -1;
  #page: Uint8Array = new Uint8Array(0);
  #view: DataView = viewOf(this.#page);

  constructor(units: Units, table: Uint8Array, end: number, caches: SealedCaches, prefix: number) {
    this.#units = units;
    this.#table = table;
    this.#end = end;
    this.#caches = caches;
    this.#prefix = prefix;
  }

  #load(number: number): void {
    // A page that the cache gave up has been released and has no length any more.
    if (number === this.#current && this.#page.length > 0) return;
    const key = this.#prefix + number;
    let page = this.#caches.pages.get(key);
    if (page === undefined) {
      const length = Math.min(pageSize, this.#end - number * pageSize);
      if (length <= 0)
        throw new SealedLayerError(
          'SEALED_STRUCTURE',
          `${this.#units.name}: an address inside the index expected`,
        );
      const record = decodeUnitRecord(this.#table, summarySize + number * unitRecordSize);
      page = this.#units.open('page', number, record, length);
      this.#caches.pages.set(key, page);
    }
    this.#page = page;
    this.#view = viewOf(page);
    this.#current = number;
  }

  #at(address: number): number {
    this.#load(Math.floor(address / pageSize));
    return address % pageSize;
  }

  u8(address: number): number {
    const at = this.#at(address);
    return this.#view.getUint8(at);
  }

  u16(address: number): number {
    const at = this.#at(address);
    return this.#view.getUint16(at, true);
  }

  u32(address: number): number {
    const at = this.#at(address);
    return this.#view.getUint32(at, true);
  }

  u64(address: number): number {
    const at = this.#at(address);
    return readU64(this.#view, at);
  }

  i64(address: number): number {
    const at = this.#at(address);
    return Number(this.#view.getBigInt64(at, true));
  }

  /** A copy of `length` bytes, which may reach over pages. */
  bytes(address: number, length: number): Uint8Array {
    const copy = new Uint8Array(length);
    for (let done = 0; done < length;) {
      const at = this.#at(address + done);
      const part = this.#page.subarray(at, at + length - done);
      copy.set(part, done);
      done += part.length;
    }
    return copy;
  }

  /** Compares the `length` bytes at `address` with `other`: negative, zero or positive. */
  compare(address: number, length: number, other: Uint8Array): number {
    const common = Math.min(length, other.length);
    for (let done = 0; done < common;) {
      let at = this.#at(address + done);
      const stop = Math.min(this.#page.length, at + common - done);
      while (at < stop) {
        const difference = (this.#page[at++] as number) - (other[done++] as number);
        if (difference !== 0) return difference;
      }
    }
    return length - other.length;
  }
}
