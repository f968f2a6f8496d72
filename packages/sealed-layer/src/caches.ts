import { chunkSize, pageSize } from './format.ts';

/**
 * A cache with a fixed number of places that gives up what was not used since the hand last passed ("clock", an
 * approximation of least recently used whose hits cost one bit).
 */
export class ClockCache {
  readonly #places: number;
  readonly #slots = new Map<number, number>();
  readonly #keys: number[] = [];
  readonly #values: Uint8Array[] = [];
  readonly #used: Uint8Array;
  readonly #release: (value: Uint8Array) => void;
  #hand = 0;

  /** @param release gets what is given up */
  constructor(places: number, release: (value: Uint8Array) => void = () => {}) {
    this.#places = places;
    this.#release = release;
    this.#used = new Uint8Array(places);
  }

  get(key: number): Uint8Array | undefined {
    const slot = this.#slots.get(key);
    if (slot === undefined) return undefined;
    this.#used[slot] = 1;
    return this.#values[slot];
  }

  set(key: number, value: Uint8Array): void {
    let slot = this.#values.length;
    if (slot === this.#places) {
      while (this.#used[this.#hand] === 1) {
        this.#used[this.#hand] = 0;
        this.#hand = (this.#hand + 1) % this.#places;
      }
      slot = this.#hand;
      this.#hand = (this.#hand + 1) % this.#places;
      this.#slots.delete(this.#keys[slot] as number);
      this.#release(this.#values[slot] as Uint8Array);
    }
    this.#keys[slot] = key;
    this.#values[slot] = value;
    this.#slots.set(key, slot);
  }
}

/** Bytes that a decompressor's buffer has more than what it holds: a full one would make Node allocate the next. */
export const spareOutput = 64;

/**
 * Frees the memory of a buffer now instead of at some later garbage collection: decoded units come and go at
 * hundreds of megabytes a second, and V8 would let them pile up. No view of the buffer may be used afterwards.
 */
export function release(bytes: Uint8Array): void {
  const { buffer } = bytes;
  // A small buffer may share its memory with others (Node's pool, which is far larger than what it gives out).
  if (buffer instanceof ArrayBuffer && buffer.byteLength - bytes.byteLength <= spareOutput)
    buffer.transfer(0);
}

/** Decoded pages and chunks, shared by the layers of one tree so that memory stays bounded whatever their number. */
export interface SealedCaches {
  readonly pages: ClockCache;
  readonly chunks: ClockCache;
  /** Hands out the key prefix of the next reader. */
  nextReader(): number;
}

/** Limits in bytes; at least two pages and two chunks are held. */
export function createCaches(limits: { pageBytes?: number; chunkBytes?: number } = {}): SealedCaches {
  const { pageBytes = 4 * 1_048_576, chunkBytes = 8 * 1_048_576 } = limits;
  let readers = 0;
  return {
    pages: new ClockCache(Math.max(2, Math.floor(pageBytes / pageSize)), release),
    chunks: new ClockCache(Math.max(2, Math.floor(chunkBytes / chunkSize)), release),
    nextReader: () => readers++,
  };
}
