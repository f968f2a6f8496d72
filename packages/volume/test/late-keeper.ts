import type { Advance, TagKeeper, TagState } from '../src/tag-keeper.ts';

/** Takes a tag only when told to, as a keeper at the end of a slow connection does. */
export class LateKeeper implements TagKeeper {
  readonly protects = true;
  readonly #keeper: TagKeeper;
  #late: ((result?: Advance) => void) | undefined;

  constructor(keeper: TagKeeper) {
    this.#keeper = keeper;
  }

  /** Whether it was asked and has not answered. */
  get asked(): boolean {
    return this.#late !== undefined;
  }

  read(): TagState {
    return this.#keeper.read();
  }

  acquire(expected: TagState, tag: Uint8Array): number | undefined {
    return this.#keeper.acquire(expected, tag);
  }

  advance(epoch: number, from: Uint8Array, to: Uint8Array, done: (result: Advance) => void): void {
    this.#late = (result) => (result ? done(result) : this.#keeper.advance(epoch, from, to, done));
  }

  /** Answers what it was asked: truly, or with `result`. */
  answer(result?: Advance): void {
    const late = this.#late;
    this.#late = undefined;
    late?.(result);
  }
}
