import type { Contents } from './contents.ts';
import type { Inodes } from './inodes.ts';
import { rootInode } from './inodes.ts';
import { cellKey, cellSize, inoOf, kind, numberAt } from './key.ts';
import { decodeCell } from './units.ts';
import type { Volume } from './volume.ts';

const defaultDeadBytes = 64 * 1024 * 1024;
/** How much is moved in one go, between requests. */
const movedAtOnce = 64 * 1024 * 1024;
/** How much must be there to be gained where there is no room. */
const tightDead = 4 * 1024 * 1024;

/** Gives back the room of segments that hold little, by moving what they hold. */
export class Compaction {
  readonly #volume: Volume;
  readonly #inodes: Inodes;
  readonly #contents: Contents;
  readonly #log: (line: string) => void;
  readonly #deadBytes: number;
  /** How much is moved in one go where there is no room: what a segment holds at most, which the reserve has room for. */
  readonly #tightMoved: number;
  #stopped = false;

  constructor(
    volume: Volume,
    inodes: Inodes,
    contents: Contents,
    log: (line: string) => void,
    segmentSize: number,
    deadBytes = defaultDeadBytes,
  ) {
    this.#volume = volume;
    this.#inodes = inodes;
    this.#contents = contents;
    this.#log = log;
    this.#deadBytes = deadBytes;
    this.#tightMoved = segmentSize;
  }

  /** Moves what little sparse segments hold, so that they can go. */
  run(): void {
    this.#move(this.#volume.sparseSegments(this.#deadBytes, movedAtOnce));
  }

  /** The same where the directory is full: what was written last gives its room back too. False where nothing can be gained. */
  makeRoom(): boolean {
    if (this.#stopped) return false;
    const sparse = (): ReadonlySet<number> => this.#volume.sparseSegments(tightDead, this.#tightMoved, true);
    if (this.#volume.deadInNewest < tightDead) {
      const segments = sparse();
      this.#move(segments);
      return segments.size > 0;
    }
    try {
      this.#volume.startSegment();
    } catch (error) {
      this.#log(`no room can be made: ${error instanceof Error ? error.message : 'not an error was thrown'}`);
      return false;
    }
    this.#volume.commit((error) => {
      if (error) this.#log(`a commit failed: ${error.message}`);
      else this.#move(sparse());
    }, true);
    return true;
  }

  #move(segments: ReadonlySet<number>): void {
    if (this.#stopped || segments.size === 0) return;
    const cells: [ino: number, cell: number][] = [];
    this.#volume.scan(cellKey(rootInode, 0), (key, value) => {
      if (key[6] === kind.cell && decodeCell(value).some(({ segment }) => segments.has(segment)))
        cells.push([inoOf(key), numberAt(key, 7, cellSize)]);
      return true;
    });
    try {
      for (const [ino, cell] of cells) this.#contents.move(this.#inodes.get(ino), cell, segments);
      this.#volume.movePages(segments);
    } catch (error) {
      // What is damaged stays where it is, for `check` to name; the rest was not touched.
      this.#stopped = true;
      this.#log(`compaction stops: ${error instanceof Error ? error.message : 'not an error was thrown'}`);
    }
    this.#volume.commit((error) => error && this.#log(`a commit failed: ${error.message}`), true);
  }
}
