/**
 * Remembers what verified once and does not depend on time: parsed and verified collateral, PCK chains, attestation keys. Entries are found
 * by SHA-256 of the bytes they were made from, so a cache never changes a verdict; failures are never kept. Bounded: what went unused
 * for longest goes first. Make one per process and hand it to every verification.
 */
export class VerificationCache {
  // Two generations instead of an order: a hit moves nothing but what is about to be forgotten.
  #young = new Map<string, object>();
  #old = new Map<string, object>();
  readonly #byObject = new WeakMap<object, object>();
  readonly #pairs = new WeakMap<object, WeakMap<object, object>>();
  readonly #generation: number;

  /** `capacity` in entries; one platform takes two, one set of collateral one (some 100 KiB at most). */
  constructor(capacity = 1024) {
    if (!Number.isSafeInteger(capacity) || capacity < 2)
      throw new RangeError('a capacity of at least 2 expected');
    this.#generation = Math.floor(capacity / 2);
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  get(key: string): unknown {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) {
      this.#old.delete(key);
      this.set(key, old);
    }
    return old;
  }

  set(key: string, entry: object): void {
    if (this.#young.size >= this.#generation && !this.#young.has(key)) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, entry);
  }

  /** What was made from this very object earlier; saves hashing collateral that a caller keeps and never changes. */
  getByObject(object: object): unknown {
    return this.#byObject.get(object);
  }

  setByObject(object: object, entry: object): void {
    this.#byObject.set(object, entry);
  }

  /** What follows from two immutable objects together; made once, kept as long as both are. */
  ofPair<T extends object>(one: object, other: object, make: () => T): T {
    let row = this.#pairs.get(one);
    if (row === undefined) {
      row = new WeakMap();
      this.#pairs.set(one, row);
    }
    const known = row.get(other);
    if (known !== undefined) return known as T;
    const made = make();
    row.set(other, made);
    return made;
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
  }
}
