/** So often in a row somebody flushed what he had written last before it is taken for granted. */
const enough = 4;

/** Whether what was written last will be flushed next, as with the log of a database: told by what came of the writes before. */
export class FlushForecast {
  #written = 0;
  #flushed = 0;
  #kept = 0;
  /** Whether it was answered for the last write. */
  #told = false;

  /** A file was written. */
  wrote(ino: number): void {
    this.#written = ino;
    this.#told = false;
  }

  /** A file was flushed. */
  flushed(ino: number): void {
    this.#kept = ino === this.#written && ino === this.#flushed ? this.#kept + 1 : 0;
    this.#flushed = ino;
    this.#told = true;
  }

  /** Whether a flush is to be expected; once for each write. */
  expects(): boolean {
    if (this.#told || this.#kept < enough || this.#written !== this.#flushed) return false;
    this.#told = true;
    return true;
  }
}
