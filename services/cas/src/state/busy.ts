/** Counts what is being done, for who has to wait until nothing is. */
export class Busy {
  #count = 0;
  readonly #idle: (() => void)[] = [];

  get count(): number {
    return this.#count;
  }

  /** Begins one thing; the answer ends it, and may be called again without effect. */
  begin(): () => void {
    this.#count++;
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      this.#count--;
      if (this.#count === 0) for (const resolve of this.#idle.splice(0)) resolve();
    };
  }

  /** Resolves when nothing is being done, or after so many milliseconds. */
  async idle(patience: number): Promise<void> {
    if (this.#count === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#idle.push(resolve);
    const timer = setTimeout(resolve, patience);
    await promise;
    clearTimeout(timer);
  }
}
