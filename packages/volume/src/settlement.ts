import { equalBytes } from '@ensconce/base/bytes';
import { VolumeError } from './errors.ts';
import type { StateTag } from './state-tag.ts';
import type { TagKeeper } from './tag-keeper.ts';

/**
 * - `settled`: a commit counts when the keeper has its tag. No roll-back loses what was promised.
 * - `tag-follows-100ms`: it counts when it is on the disk, and the keeper is told soon after. A crash loses nothing; who can
 *   stop the writer and roll the directory back can take away what was promised in the 100 ms before the keeper fell
 *   silent. A commit that would stretch that time waits for the keeper.
 * - `collected-100ms`: the same, and what is written without a flush stays with the kernel until the file is flushed or closed, which
 *   then say if the disk is full.
 */
export type Durability = 'settled' | 'tag-follows-100ms' | 'collected-100ms';

/** Milliseconds: what is promised before the keeper has the tag lies within so long a time. */
const lossWindow = 100;
/** Milliseconds for which promises are collected before the keeper is asked for all of them: well within the window. */
const collectFor = 75;
/** Milliseconds until a keeper that was out of reach is asked again. */
const askAgainAfter = 1000;

export interface SettlementOptions {
  readonly keeper: TagKeeper;
  readonly epoch: number;
  /** The tag that the keeper has: that of the state which was opened. */
  readonly tag: StateTag;
  readonly durability: Durability;
  /** Milliseconds, monotonic. */
  readonly clock: () => number;
  readonly log: (line: string) => void;
  /** Another writer has taken over: nothing more can be written. Returns what those who wait are told. */
  readonly superseded: () => VolumeError;
  /** What those who wait are told where finishing a commit failed. */
  readonly refuse: (cause: unknown) => VolumeError;
  /** The keeper has answered: makes the commit that waited for it. False if none did. */
  readonly answered: () => boolean;
}

/** A commit that is on the disk and whose tag the keeper does not have yet. */
interface Unsettled {
  /** What is left to be done once the keeper has the tag. */
  readonly finish: () => void;
  readonly tell: (error?: VolumeError) => void;
  /** When it was promised, if before the keeper has the tag. */
  readonly promised: number | undefined;
}

const nothing = (): void => undefined;

/** The way of commits from the disk to the keeper of the tag, asked one question at a time. */
export class Settlement {
  readonly #options: SettlementOptions;
  /** Tag of the newest commit that is on the disk. */
  #durable: StateTag;
  /** The tag that the keeper has. */
  #settled: Uint8Array;
  /** The tag that an unreachable keeper was asked to take. */
  #unsure: Uint8Array | undefined;
  #asking = false;
  #unsettled: Unsettled[] = [];
  /** When the oldest promise was made that the keeper does not have the tag of yet. */
  #promisedSince: number | undefined;
  /** When the keeper is to be asked for what was promised. */
  #askAt = Infinity;

  constructor(options: SettlementOptions) {
    this.#options = options;
    this.#durable = options.tag;
    this.#settled = options.tag.bytes;
  }

  /** Whether the keeper has been asked and has not answered yet. */
  get asking(): boolean {
    return this.#asking;
  }

  /** Whether those who wait may be told before the keeper has the tag. */
  get early(): boolean {
    if (this.#options.durability === 'settled') return false;
    return this.#promisedSince === undefined || this.#options.clock() - this.#promisedSince < lossWindow;
  }

  isDurable(tag: StateTag): boolean {
    return this.#durable === tag;
  }

  isSettled(tag: StateTag): boolean {
    return equalBytes(this.#settled, tag.bytes);
  }

  /** A commit is on the disk; `tell` is called when the keeper has its tag, after `finish`. */
  settle(tag: StateTag, tell: (error?: VolumeError) => void, finish: () => void = nothing): void {
    this.#durable = tag;
    this.#unsettled.push({ finish, tell, promised: undefined });
    if (!this.#asking) this.#ask();
  }

  /** A commit is on the disk, and whoever waits for it is told at once, by `tell`; the keeper's turn comes later. */
  promise(tag: StateTag, tell: () => void, finish: () => void): void {
    this.#durable = tag;
    const promised = this.#options.clock();
    this.#promisedSince ??= promised;
    this.#askAt = Math.min(this.#askAt, promised + collectFor);
    this.#unsettled.push({ finish, tell: nothing, promised });
    tell();
  }

  /** Asks the keeper for what was promised, if it is time. Returns the milliseconds until it will be. */
  settlePromises(): number {
    const left = this.#asking ? Infinity : this.#askAt - this.#options.clock();
    if (left > 0) return left;
    this.#ask();
    return Infinity;
  }

  /**
   * Has the keeper take the newest tag on the disk, and finishes all commits up to it. A newer one may be sealed that a
   * full disk did not take yet: after a crash its tag would be one that no state has.
   */
  #ask(): void {
    const groups = this.#unsettled;
    this.#unsettled = [];
    this.#askAt = Infinity;
    this.#asking = true;
    this.#advance(this.#durable.bytes, (error) => {
      const { clock, log, refuse, answered } = this.#options;
      this.#asking = false;
      if (error && this.#promisedSince !== undefined) this.#askAt = clock() + askAgainAfter;
      if (!error) {
        this.#promisedSince = this.#unsettled.find(({ promised }) => promised !== undefined)?.promised;
        this.#askAt = (this.#promisedSince ?? Infinity) + collectFor;
      }
      for (const { finish, tell } of groups) {
        if (error) {
          tell(error);
          continue;
        }
        try {
          finish();
          tell();
        } catch (cause) {
          tell(refuse(cause));
        }
      }
      if (error) log(error.message);
      const waits = !answered() && this.#unsettled.some(({ promised }) => promised === undefined);
      if (waits && !this.#asking) this.#ask();
    });
  }

  /** Has the keeper take the tag; first the one that it may or may not have taken before it was out of reach. */
  #advance(to: Uint8Array, done: (error?: VolumeError) => void): void {
    const step = this.#unsure ?? to;
    const { keeper, epoch, superseded } = this.#options;
    keeper.advance(epoch, this.#settled, step, (result) => {
      if (result === 'superseded') done(superseded());
      else if (result === 'unreachable') {
        this.#unsure = step;
        done(
          new VolumeError('VOLUME_KEEPER', 'volume: an answer of the keeper of its tag expected, none came', {
            hint: 'what was written is on the disk but not yet protected against roll-back; it is tried again',
          }),
        );
      } else {
        this.#settled = step;
        this.#unsure = undefined;
        if (step === to) done();
        else this.#advance(to, done);
      }
    });
  }
}
