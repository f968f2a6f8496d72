import { CasError } from '../errors.ts';

/** The share of one body. */
export interface Upload {
  /** Throws `CAS_BUSY` where there is no room for so many bytes more. */
  readonly add: (bytes: number) => void;
  /** To be called when the body is no longer held. */
  readonly close: () => void;
}

/** Bounds the memory of bodies that arrive or wait their turn, of all callers and of each: who sends slowly holds little of it. */
export class Uploads {
  readonly #bounds: { readonly total: number; readonly each: number };
  readonly #held = new Map<string, number>();
  #total = 0;

  /** @param bounds bytes. */
  constructor(bounds: { readonly total: number; readonly each: number }) {
    this.#bounds = bounds;
  }

  open(caller: string): Upload {
    let share = 0;
    return {
      add: (bytes) => {
        const mine = (this.#held.get(caller) ?? 0) + bytes;
        if (mine > this.#bounds.each || this.#total + bytes > this.#bounds.total) {
          throw new CasError('CAS_BUSY', 'request: fewer bodies at once expected, too many found', {
            hint: 'try again in a second',
          });
        }
        share += bytes;
        this.#total += bytes;
        this.#held.set(caller, mine);
      },
      close: () => {
        this.#total -= share;
        const left = (this.#held.get(caller) ?? 0) - share;
        if (left > 0) this.#held.set(caller, left);
        else this.#held.delete(caller);
        share = 0;
      },
    };
  }
}
