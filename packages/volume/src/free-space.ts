import type { Backing } from './backing.ts';

/** Free space that is left for metadata and commits, bytes. */
export const reserve = 16 * 1024 * 1024;
/** Bytes that may be written between two looks at the directory … */
const stride = reserve / 4;
/** … and milliseconds that pass between them at most where something is written. */
const interval = 20;

/** Whether the backing directory has room for more data, looked at now and then. */
export class FreeSpace {
  readonly #backing: Backing;
  #untilLook = 0;
  #lookAt = 0;
  #full = false;

  constructor(backing: Backing) {
    this.#backing = backing;
  }

  /** What the last look found. */
  get full(): boolean {
    return this.#full;
  }

  /** The next `holds` looks again, if the last look is a while ago; `now` in milliseconds, monotonic. */
  lookAgain(now: number): void {
    if (now < this.#lookAt) return;
    this.#lookAt = now + interval;
    this.#untilLook = 0;
  }

  /** Whether there is room for `bytes`, while `waiting` bytes wait in memory. */
  holds(bytes: number, waiting: number): boolean {
    if (this.#untilLook <= 0) {
      this.#full = this.#backing.space().free < reserve + waiting;
      this.#untilLook = stride;
    }
    this.#untilLook -= bytes;
    return !this.#full;
  }

  /** Bytes that data may take, and bytes in all. */
  get(): { readonly available: number; readonly total: number } {
    const { free, total } = this.#backing.space();
    return { available: Math.max(0, free - reserve), total };
  }
}
