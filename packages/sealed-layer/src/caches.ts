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
  #hand = 0;

  constructor(places: number) {
    this.#places = places;
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
    }
    this.#keys[slot] = key;
    this.#values[slot] = value;
    this.#slots.set(key, slot);
  }
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
  const { pageBytes = 4 * 1_048_576, chunkBytes = 16 * 1_048_576 } = limits;
  let readers = 0;
  return {
    pages: new ClockCache(Math.max(2, Math.floor(pageBytes / pageSize))),
    chunks: new ClockCache(Math.max(2, Math.floor(chunkBytes / chunkSize))),
    nextReader: () => readers++,
  };
}
