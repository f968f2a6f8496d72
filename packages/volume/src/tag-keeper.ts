/** What a keeper remembers of a volume. */
export interface TagState {
  /** 32 bytes; undefined where the volume has not been initialised. */
  readonly tag: Uint8Array | undefined;
  /** The epoch of the writer that was granted last; 0 before the first. */
  readonly epoch: number;
}

/** What became of an `advance`: done, refused because another writer has taken over, or nobody knows. */
export type Advance = 'accepted' | 'superseded' | 'unreachable';

/**
 * Remembers, where the attacker cannot reach it, the tag of the newest state of a volume and who may write. CAS is one;
 * all methods answer by callback, at once or later, and never more than one `advance` is under way.
 */
export interface TagKeeper {
  /** Whether a roll-back of the whole directory is detected with this keeper. */
  readonly protects: boolean;
  read(): TagState;
  /**
   * Becomes the writer: if the state still is `expected`, sets the tag and grants the next epoch, which shuts out all
   * earlier writers. Returns the epoch, or undefined if the state is another.
   */
  acquire(expected: TagState, tag: Uint8Array): number | undefined;
  /** Compare-and-set of the tag by the writer of `epoch`. The same call again, when the tag is `to` already, is accepted. */
  advance(epoch: number, from: Uint8Array, to: Uint8Array, done: (result: Advance) => void): void;
}

function same(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return Buffer.compare(a, b) === 0;
}

/** Keeps the state in memory, and hands every new one to `store` before it counts. */
export class MemoryTagKeeper implements TagKeeper {
  readonly protects = true;
  readonly #store: (state: TagState) => void;
  #state: TagState;

  constructor(
    state: TagState = { tag: undefined, epoch: 0 },
    store: (state: TagState) => void = () => undefined,
  ) {
    this.#state = state;
    this.#store = store;
  }

  read(): TagState {
    return this.#state;
  }

  #set(state: TagState): void {
    this.#store(state);
    this.#state = state;
  }

  acquire(expected: TagState, tag: Uint8Array): number | undefined {
    if (!same(expected.tag, this.#state.tag) || expected.epoch !== this.#state.epoch) return undefined;
    this.#set({ tag: Uint8Array.from(tag), epoch: expected.epoch + 1 });
    return this.#state.epoch;
  }

  advance(epoch: number, from: Uint8Array, to: Uint8Array, done: (result: Advance) => void): void {
    if (epoch !== this.#state.epoch) done('superseded');
    else if (same(to, this.#state.tag)) done('accepted');
    else if (!same(from, this.#state.tag)) done('superseded');
    else {
      this.#set({ tag: Uint8Array.from(to), epoch });
      done('accepted');
    }
  }
}

/**
 * Remembers nothing: whatever authentic state the directory holds is the newest, so a roll-back of the whole directory
 * is not noticed. With `tag`, the directory must hold that state or a later one.
 */
export class UnprotectedTagKeeper implements TagKeeper {
  readonly protects: boolean;
  readonly #tag: Uint8Array | undefined;

  constructor(tag?: Uint8Array) {
    this.#tag = tag;
    this.protects = tag !== undefined;
  }

  read(): TagState {
    return { tag: this.#tag, epoch: anyEpoch };
  }

  acquire(): number {
    return anyEpoch;
  }

  advance(_epoch: number, _from: Uint8Array, _to: Uint8Array, done: (result: Advance) => void): void {
    done('accepted');
  }
}

/** Stands for "the epoch after whichever the directory holds": only a keeper that remembers can grant one. */
export const anyEpoch = -1;
