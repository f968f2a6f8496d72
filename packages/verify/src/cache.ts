/**
 * Remembers what verified once and does not depend on time: parsed and verified collateral, PCK chains, attestation keys. Entries are found
 * by SHA-256 of the bytes they were made from, so a cache never changes a verdict; failures are never kept. Bounded: the entry unused
 * for longest goes first. Make one per process and hand it to every verification.
 */
export class VerificationCache {
  readonly #entries = new Map<string, unknown>();
  readonly #byObject = new WeakMap<object, unknown>();
  readonly #capacity: number;

  /** `capacity` in entries; one platform takes two, one set of collateral one (some 100 KiB at most). */
  constructor(capacity = 1024) {
    if (!Number.isSafeInteger(capacity) || capacity < 1)
      throw new RangeError('a capacity of at least 1 expected');
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): unknown {
    const entry = this.#entries.get(key);
    if (entry !== undefined) {
      this.#entries.delete(key);
      this.#entries.set(key, entry);
    }
    return entry;
  }

  set(key: string, entry: object): void {
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    if (this.#entries.size > this.#capacity) {
      const oldest = this.#entries.keys().next();
      if (oldest.done !== true) this.#entries.delete(oldest.value);
    }
  }

  /** What was made from this very object earlier; saves hashing collateral that a caller keeps and never changes. */
  getByObject(object: object): unknown {
    return this.#byObject.get(object);
  }

  setByObject(object: object, entry: object): void {
    this.#byObject.set(object, entry);
  }

  clear(): void {
    this.#entries.clear();
  }
}
