import { blockSize, cellBytes } from './units.ts';

/** Blocks of one cell that have been written and not yet sealed. */
export class WaitingCell {
  cell = 0;
  /** Room for the first block, or for all of them: most files are small. */
  data: Uint8Array;
  /** Bit n: block n of `data` counts. */
  present = 0;

  constructor(size: number) {
    this.data = new Uint8Array(size);
  }
}

/** The waiting cells of one file. */
export interface WaitingFile {
  /** The only one, as with every small file, … */
  one: WaitingCell | undefined;
  /** … or all of them by number. */
  many: Map<number, WaitingCell> | undefined;
}

/** Bytes of memory that may wait to be sealed, and how many cells. */
const mostBytes = 16 * 1024 * 1024;
const mostCells = 1024;

/** Everything that waits in memory to be sealed, by file and cell. */
export class WaitingCells {
  readonly #files = new Map<number, WaitingFile>();
  readonly #small: WaitingCell[] = [];
  readonly #large: WaitingCell[] = [];
  #bytes = 0;
  #count = 0;

  /** Bytes of memory that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether so much waits that it has to be sealed. */
  get full(): boolean {
    return this.#bytes >= mostBytes || this.#count >= mostCells;
  }

  get files(): Iterable<number> {
    return this.#files.keys();
  }

  get(ino: number, cell: number): WaitingCell | undefined {
    const file = this.#files.get(ino);
    if (!file) return undefined;
    if (file.many) return file.many.get(cell);
    return file.one?.cell === cell ? file.one : undefined;
  }

  has(ino: number): boolean {
    return this.#files.has(ino);
  }

  /** The waiting cells of a file; those that are dropped meanwhile do not matter. */
  of(ino: number): Iterable<WaitingCell> {
    const file = this.#files.get(ino);
    return file?.many?.values() ?? (file?.one ? [file.one] : []);
  }

  /** The waiting cell of this number, made if there is none, with room for its first `blocks` blocks. */
  take(ino: number, cell: number, blocks: number): WaitingCell {
    const known = this.get(ino, cell);
    if (known) {
      if (blocks * blockSize > known.data.length) this.#grow(known);
      return known;
    }
    const waiting =
      blocks === 1
        ? (this.#small.pop() ?? new WaitingCell(blockSize))
        : (this.#large.pop() ?? new WaitingCell(cellBytes));
    waiting.cell = cell;
    waiting.present = 0;
    this.#bytes += waiting.data.length;
    this.#count++;
    const file = this.#files.get(ino);
    if (!file) this.#files.set(ino, { one: waiting, many: undefined });
    else {
      if (file.one) file.many = new Map([[file.one.cell, file.one]]);
      file.one = undefined;
      file.many?.set(cell, waiting);
    }
    return waiting;
  }

  #grow(waiting: WaitingCell): void {
    const spare = this.#large.pop();
    const data = spare?.data ?? new Uint8Array(cellBytes);
    data.set(waiting.data);
    if (spare) {
      spare.data = waiting.data;
      this.#small.push(spare);
    }
    this.#bytes += data.length - waiting.data.length;
    waiting.data = data;
  }

  /** The cell waits no longer; its memory is used for another one. */
  drop(ino: number, waiting: WaitingCell): void {
    const file = this.#files.get(ino);
    if (file?.many) file.many.delete(waiting.cell);
    if (!file?.many || file.many.size === 0) this.#files.delete(ino);
    this.#bytes -= waiting.data.length;
    this.#count--;
    const isLarge = waiting.data.length === cellBytes;
    const spares = isLarge ? this.#large : this.#small;
    if (spares.length < (isLarge ? mostBytes / cellBytes : mostCells)) spares.push(waiting);
  }
}
