/** Never fewer looks than this. */
const least = 2;
/** After so many waits a long look is tried again, and after twice as many each time that was in vain … */
const firstRetry = 32;
/** … but never after more. */
const lastRetry = 2048;

/**
 * How often the loop looks for the next request before it waits for it. Looking saves the time of falling asleep and being
 * woken, if whoever asks next has a processor of its own; where it waits for ours, looking only keeps it waiting.
 */
export class Patience {
  readonly #most: number;
  #looks: number;
  #waits = 0;
  #retry = firstRetry;

  constructor(most: number) {
    this.#most = this.#looks = most;
  }

  /** Looks without success after which the loop should wait. */
  get looks(): number {
    return this.#looks;
  }

  /** A request came after some looks without success. */
  paid(): void {
    this.#looks = Math.min(this.#most, this.#looks * 2);
    this.#retry = firstRetry;
  }

  /** None came, and the loop waits. */
  exhausted(): void {
    if (++this.#waits < this.#retry) {
      this.#looks = Math.max(Math.min(least, this.#most), this.#looks >> 1);
      return;
    }
    this.#waits = 0;
    this.#looks = this.#most;
    this.#retry = Math.min(lastRetry, this.#retry * 2);
  }
}
