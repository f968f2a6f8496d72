/** The tag of a state, 32 bytes, computed when somebody needs it first: who waits for the disk does not. */
export class StateTag {
  #compute: (() => Uint8Array) | undefined;
  #bytes: Uint8Array | undefined;

  constructor(tag: Uint8Array | (() => Uint8Array)) {
    if (typeof tag === 'function') this.#compute = tag;
    else this.#bytes = tag;
  }

  get bytes(): Uint8Array {
    const bytes = (this.#bytes ??= this.#compute?.() as Uint8Array);
    this.#compute = undefined;
    return bytes;
  }
}
