/** Answers that are kept back at most: as many as the kernel sends in one go for a file that is flushed, mostly. */
const most = 64;

/**
 * Answers to WRITEs of data that the kernel had collected, which go out together and the first one last: whoever flushes a file
 * waits for its pages one after the other, and would be woken for each of them.
 */
export class LateAnswers {
  readonly #send: (unique: number, size: number) => void;
  readonly #uniques = new Float64Array(most);
  readonly #sizes = new Uint32Array(most);
  #count = 0;

  /** `send` answers one request: so many of its bytes were taken. */
  constructor(send: (unique: number, size: number) => void) {
    this.#send = send;
  }

  add(unique: number, size: number): void {
    this.#uniques[this.#count] = unique;
    this.#sizes[this.#count] = size;
    if (++this.#count === most) this.send();
  }

  /** Nothing more of that kind is there to be read. */
  send(): void {
    while (this.#count > 0) {
      this.#count--;
      this.#send(this.#uniques[this.#count] as number, this.#sizes[this.#count] as number);
    }
  }
}
