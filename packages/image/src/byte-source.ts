import { Buffer } from 'node:buffer';

/** Takes bytes off a stream in the lengths that a parser wants, copying only where a piece ends in between. */
export class ByteSource {
  readonly #iterator: AsyncIterator<Uint8Array>;
  #piece: Uint8Array = new Uint8Array(0);
  #at = 0;
  /** Bytes taken so far. */
  offset = 0;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#iterator = source[Symbol.asyncIterator]();
  }

  async #more(): Promise<boolean> {
    while (this.#at === this.#piece.length) {
      const next = await this.#iterator.next();
      if (next.done) return false;
      this.#piece = next.value;
      this.#at = 0;
    }
    return true;
  }

  /** What is at hand, at most `limit` bytes, without waiting; empty where the next piece must be awaited. */
  ready(limit: number): Uint8Array {
    const part = this.#piece.subarray(this.#at, this.#at + limit);
    this.#at += part.length;
    this.offset += part.length;
    return part;
  }

  /** At least one byte and at most `limit`; `undefined` at the end. A view that is valid until the next call. */
  async some(limit: number): Promise<Uint8Array | undefined> {
    return (await this.#more()) ? this.ready(limit) : undefined;
  }

  /** Exactly `length` bytes; `undefined` where the stream ends before. A view that is valid until the next call. */
  async exactly(length: number): Promise<Uint8Array | undefined> {
    const first = this.ready(length);
    if (first.length === length) return first;
    const whole = Buffer.allocUnsafe(length);
    whole.set(first);
    for (let done = first.length; done < length;) {
      const part = await this.some(length - done);
      if (part === undefined) return undefined;
      whole.set(part, done);
      done += part.length;
    }
    return whole;
  }

  /** Gives up the rest; where `drain`, reads it to the end, so that checks at the end of the stream are made. */
  async close(drain: boolean): Promise<void> {
    if (drain) {
      while ((await this.some(Number.MAX_SAFE_INTEGER)) !== undefined);
      return;
    }
    await this.#iterator.return?.();
  }
}
