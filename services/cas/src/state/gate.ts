import { CasError } from '../errors.ts';

/** Lets a bounded number of tasks run at once and a bounded number wait; more are refused with `CAS_BUSY`. */
export class Gate {
  readonly #running: number;
  readonly #waiting: number;
  readonly #queue: (() => void)[] = [];
  #count = 0;

  constructor(bounds: { readonly running: number; readonly waiting: number }) {
    this.#running = bounds.running;
    this.#waiting = bounds.waiting;
  }

  async run<Result>(task: () => Promise<Result>): Promise<Result> {
    if (this.#count >= this.#running) {
      if (this.#queue.length >= this.#waiting) {
        throw new CasError('CAS_BUSY', 'request: fewer at once expected, too many found', {
          hint: 'try again in a second',
        });
      }
      // Whoever leaves hands its place over, so the count stays.
      await new Promise<void>((resolve) => this.#queue.push(resolve));
    } else {
      this.#count++;
    }
    try {
      return await task();
    } finally {
      const next = this.#queue.shift();
      if (next === undefined) this.#count--;
      else next();
    }
  }
}
