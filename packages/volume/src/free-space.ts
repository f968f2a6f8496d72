import type { Backing } from './backing.ts';
import { segmentSizeOn } from './frame.ts';

/** Bytes that may be written between two looks at the directory … */
const stride = 4 * 1024 * 1024;
/** … and milliseconds that pass between them at most where something is written. */
const interval = 20;

/** Free space that is left for metadata, commits, and what a segment holds that is being emptied, bytes. */
const reserveOn = (total: number): number => 2 * segmentSizeOn(total);

/** Whether the backing directory has room for more data, looked at now and then. */
export class FreeSpace {
  readonly #backing: Backing;
  readonly #giveBack: () => boolean;
  #untilLook = 0;
  #lookAt = 0;
  #full = false;

  /** `giveBack` frees what is kept for later, and says whether there was anything. */
  constructor(backing: Backing, giveBack: () => boolean) {
    this.#backing = backing;
    this.#giveBack = giveBack;
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
      this.#full = this.#isFull(waiting) && (!this.#giveBack() || this.#isFull(waiting));
      this.#untilLook = stride;
    }
    this.#untilLook -= bytes;
    return !this.#full;
  }

  #isFull(waiting: number): boolean {
    const { free, total } = this.#backing.space();
    return free < reserveOn(total) + waiting;
  }

  /** Bytes that data may take, and bytes in all. */
  get(): { readonly available: number; readonly total: number } {
    const { free, total } = this.#backing.space();
    return { available: Math.max(0, free - reserveOn(total)), total };
  }
}
