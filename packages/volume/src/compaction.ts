import type { Contents } from './contents.ts';
import type { Inodes } from './inodes.ts';
import { rootInode } from './inodes.ts';
import { cellKey, cellSize, inoOf, kind, numberAt } from './key.ts';
import { decodeCell } from './units.ts';
import type { UnitReference } from './units.ts';
import type { Volume } from './volume.ts';

const mebibyte = 1024 * 1024;
/** Bytes that nothing refers to any more, from which on they are given back when nobody asks … */
const deadAtRest = 64 * mebibyte;
/** … and while programs are served: a 64th of the directory, and at most so many. Much of what a database writes dies by itself. */
const mostDead = 1024 * mebibyte;
/** How much is moved in one round. */
const movedInRound = 64 * mebibyte;
/** How much is moved at a time when nobody asks, and how much at most while programs write. */
const stride = mebibyte / 4;
const longestStride = 4 * mebibyte;
/** Entries of the tree that are looked at for that, at most. */
const entriesAtATime = 1024;
/** How much must be there to be gained where there is no room. */
const tightDead = 4 * mebibyte;
/** Milliseconds without a request after which somebody may ask again at any moment, but does not wait. */
const pause = 2;
/** Milliseconds without a request that are a rest, and between two looks at what could be given back. */
const rest = 500;
const lookAgain = 1000;

export interface CompactionOptions {
  readonly volume: Volume;
  readonly inodes: Inodes;
  readonly contents: Contents;
  readonly log: (line: string) => void;
  /** Bytes of the directory. */
  readonly total: number;
  /** Bytes at which a segment ends: what one holds at most, which the reserve has room for. */
  readonly segmentSize: number;
  /** Bytes that nothing refers to which may stay; by the size of the directory unless given. */
  readonly deadBytes?: number | undefined;
}

/**
 * Gives back the room of segments that hold little, by moving what they hold to the end of the log: a little at a time, as much as
 * programs write meanwhile, or all of it while nobody asks.
 */
export class Compaction {
  readonly #options: CompactionOptions;
  readonly #atRest: number;
  readonly #whileServing: number;
  /** Those that are being emptied, and the key of the tree at which the search for what they hold goes on. */
  #segments: ReadonlySet<number> | undefined;
  #from = new Uint8Array();
  /** The last part of a round is on its way to the disk. */
  #ending = false;
  #stopped = false;
  /** Whether there was a request since the last `tick`, and when there was one at last. */
  #asked = false;
  #askedAt = 0;
  /** Whether something was written since it was last looked at rest. */
  #written = false;
  #lookAt = 0;
  /** Bytes that were written since something was moved. */
  #owed = 0;

  constructor(options: CompactionOptions) {
    this.#options = options;
    const { total, deadBytes = Math.max(deadAtRest, Math.min(mostDead, total / 64)) } = options;
    this.#whileServing = deadBytes;
    this.#atRest = Math.min(deadAtRest, deadBytes);
  }

  /** A request was served. */
  asked(): void {
    this.#asked = true;
  }

  /** A program has changed something, and written so many bytes. */
  wrote(bytes: number): void {
    this.#written = true;
    this.#owed = Math.min(longestStride, this.#owed + bytes);
  }

  /** Goes on, where there is time for it. `now` in milliseconds, monotonic; returns after how many it wants to be called again. */
  tick(now: number): number {
    const isPause = !this.#asked;
    this.#asked = false;
    if (!isPause) this.#askedAt = now;
    if (this.#stopped || this.#ending) return Infinity;
    if (!this.#segments) return this.#look(now);
    if (isPause) this.#advance(stride);
    else if (this.#owed >= stride) {
      const most = this.#owed;
      this.#owed = 0;
      this.#advance(most);
    }
    return isPause ? 0 : pause;
  }

  /** Whether a round should begin. */
  #look(now: number): number {
    if (!this.#written) return Infinity;
    if (now < this.#lookAt) return this.#lookAt - now;
    this.#lookAt = now + lookAgain;
    const rests = now - this.#askedAt >= rest;
    if (rests) this.#written = false;
    const { volume } = this.#options;
    this.#begin(volume.sparseSegments(rests ? this.#atRest : this.#whileServing, movedInRound));
    if (this.#segments) return 0;
    return rests ? Infinity : lookAgain;
  }

  /** The same where the directory is full: what was written last gives its room back too. False where nothing can be gained. */
  makeRoom(): boolean {
    if (this.#stopped) return false;
    const { volume, log, segmentSize } = this.#options;
    this.#segments = undefined;
    const empty = (): boolean => {
      this.#begin(volume.sparseSegments(tightDead, segmentSize, true));
      const begun = this.#segments !== undefined;
      while (this.#segments) this.#advance(Infinity);
      return begun;
    };
    if (volume.deadInNewest < tightDead) return empty();
    try {
      volume.startSegment();
    } catch (error) {
      log(`no room can be made: ${messageOf(error)}`);
      return false;
    }
    volume.commit((error) => {
      if (error) log(`a commit failed: ${error.message}`);
      else empty();
    }, true);
    return true;
  }

  #begin(segments: ReadonlySet<number>): void {
    if (segments.size === 0) return;
    this.#segments = segments;
    this.#from = cellKey(rootInode, 0).slice();
    this.#owed = 0;
  }

  /** Moves at most about so many bytes. */
  #advance(most: number): void {
    const { volume, inodes, contents, log } = this.#options;
    const segments = this.#segments as ReadonlySet<number>;
    const cells: [ino: number, cell: number][] = [];
    let [found, entries, more] = [0, 0, false];
    try {
      volume.scan(this.#from, (key, value) => {
        if (found >= most || entries++ >= entriesAtATime) {
          this.#from = key.slice();
          more = true;
          return false;
        }
        const bytes = key[6] === kind.cell ? bytesIn(decodeCell(value), segments) : 0;
        if (bytes > 0) cells.push([inoOf(key), numberAt(key, 7, cellSize)]);
        found += bytes;
        return true;
      });
      for (const [ino, cell] of cells) contents.move(inodes.get(ino), cell, segments);
      if (more) return;
      volume.movePages(segments);
    } catch (error) {
      // What is damaged stays where it is, for `check` to name; where there was no room it is tried again.
      this.#stopped = !isFull(error);
      log(`compaction ${this.#stopped ? 'stops' : 'waits'}: ${messageOf(error)}`);
    }
    this.#segments = undefined;
    this.#ending = true;
    volume.commit((error) => {
      this.#ending = false;
      if (error) log(`a commit failed: ${error.message}`);
    }, true);
  }
}

/** Bytes of a cell that lie in these segments. */
function bytesIn(references: readonly UnitReference[], segments: ReadonlySet<number>): number {
  let bytes = 0;
  for (const { segment, length } of references) if (segments.has(segment)) bytes += length;
  return bytes;
}

function isFull(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT';
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : 'not an error was thrown';
