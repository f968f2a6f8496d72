import { placementCell } from './placement.ts';
import { isRunnable } from './scheduling.ts';
import type { Scheduling } from './scheduling.ts';

/** Milliseconds between two looks. */
const interval = 16;
/** Requests that a thread which could run serves at least in that time, or it starves. */
const leastServed = 8;
/** Looks after which a guard who finds nothing to guard leaves. */
const patience = 64;

/** Sees from another thread that one which gives way to everybody does not starve, or whoever asked it would. */
export class PlacementGuard {
  readonly #cells: Int32Array;
  readonly #scheduling: Pick<Scheduling, 'thread' | 'restore'>;
  readonly #isRunnable: (thread: number) => boolean;
  #timer: NodeJS.Timeout | undefined;
  #served = 0;
  #idle = 0;

  constructor(
    cells: Int32Array,
    scheduling: Pick<Scheduling, 'thread' | 'restore'>,
    runnable: (thread: number) => boolean = isRunnable,
  ) {
    this.#cells = cells;
    this.#scheduling = scheduling;
    this.#isRunnable = runnable;
  }

  /** The thread is about to give way. */
  call(): void {
    this.#idle = 0;
    if (this.#timer) return;
    Atomics.store(this.#cells, placementCell.guarded, 1);
    this.#served = this.#cells[placementCell.served] as number;
    this.#timer = setInterval(() => this.look(), interval);
    this.#timer.unref();
  }

  look(): void {
    const before = this.#served;
    this.#served = this.#cells[placementCell.served] as number;
    if (Atomics.load(this.#cells, placementCell.beside) === 0) {
      if (++this.#idle >= patience) this.leave();
      return;
    }
    this.#idle = 0;
    if (((this.#served - before) | 0) >= leastServed || !this.#isRunnable(this.#scheduling.thread)) return;
    Atomics.store(this.#cells, placementCell.beside, 0);
    this.#scheduling.restore();
  }

  leave(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    Atomics.store(this.#cells, placementCell.guarded, 0);
  }
}
