import { CellEdit } from './cell-edit.ts';
import { frameOverhead } from './frame.ts';
import type { Inode } from './inode.ts';
import type { Inodes } from './inodes.ts';
import { cellKey, cellSize, isOf, kind, numberAt } from './key.ts';
import {
  bitCount,
  blockSize,
  blocksPerCell,
  cellBytes,
  coveredBlocks,
  decodeCell,
  encodeCell,
  insertReference,
  withoutBlocks,
} from './units.ts';
import type { UnitReference } from './units.ts';
import type { Volume } from './volume.ts';
import { WaitingCells } from './waiting-cells.ts';
import type { WaitingCell } from './waiting-cells.ts';

/** Writes of at least so many bytes are sealed as they come. */
export const streamed = 2 * cellBytes;
const everyBlock = (1 << blocksPerCell) - 1;

/** What the files of a volume hold. Written blocks are gathered and sealed in units as large as they come. */
export class Contents {
  readonly #volume: Volume;
  readonly #inodes: Inodes;
  readonly #cells = new WaitingCells();
  readonly #scratch = new Uint8Array(cellBytes);
  readonly #edit = new CellEdit();

  constructor(volume: Volume, inodes: Inodes) {
    this.#volume = volume;
    this.#inodes = inodes;
  }

  /** Bytes of memory that wait to be sealed. */
  get waiting(): number {
    return this.#cells.bytes;
  }

  /** Whether so much waits that it has to be sealed. */
  get full(): boolean {
    return this.#cells.full;
  }

  /** Blocks of a file that wait to be sealed. */
  waitingBlocks(ino: number): number {
    if (!this.#cells.has(ino)) return 0;
    let count = 0;
    for (const { present } of this.#cells.of(ino)) count += bitCount(present);
    return count;
  }

  #stored(ino: number, cell: number): UnitReference[] {
    const value = this.#volume.get(cellKey(ino, cell));
    return value ? decodeCell(value) : [];
  }

  /** Reads at most `length` bytes from `offset`; returns how many there are. */
  read(inode: Inode, offset: number, length: number, into: Uint8Array, at: number): number {
    const size = Math.max(0, Math.min(length, inode.size - offset));
    const waiting = this.#cells.has(inode.ino);
    for (let done = 0; done < size;) {
      const position = offset + done;
      const cell = Math.floor(position / cellBytes);
      const from = position - cell * cellBytes;
      const count = Math.min(cellBytes - from, size - done);
      const dirty = waiting ? this.#cells.get(inode.ino, cell) : undefined;
      const rest = size - done - count;
      const ahead = rest + Math.ceil(rest / cellBytes) * frameOverhead;
      this.#readCell(inode.ino, cell, dirty, from, count, into, at + done, ahead);
      done += count;
    }
    return size;
  }

  #readCell(
    ino: number,
    cell: number,
    dirty: WaitingCell | undefined,
    from: number,
    count: number,
    into: Uint8Array,
    at: number,
    ahead: number,
  ): void {
    const first = Math.floor(from / blockSize);
    const last = Math.floor((from + count - 1) / blockSize);
    const needed = ((1 << (last - first + 1)) - 1) << first;
    const present = dirty ? dirty.present & needed : 0;
    if (present !== needed) this.#readStored(this.#stored(ino, cell), from, count, into, at, ahead);
    if (!dirty || present === 0) return;
    for (let block = first; block <= last; block++) {
      if ((present & (1 << block)) === 0) continue;
      const start = Math.max(from, block * blockSize);
      const end = Math.min(from + count, (block + 1) * blockSize);
      into.set(dirty.data.subarray(start, end), at + start - from);
    }
  }

  #readStored(
    references: readonly UnitReference[],
    from: number,
    count: number,
    into: Uint8Array,
    at: number,
    ahead = 0,
  ): void {
    const end = from + count;
    const only = references.length === 1 ? references[0] : undefined;
    const whole = only && only.first * blockSize <= from && (only.first + only.count) * blockSize >= end;
    if (!whole) into.fill(0, at, at + count);
    for (const reference of references) {
      const start = reference.first * blockSize;
      const low = Math.max(from, start);
      const high = Math.min(end, start + reference.count * blockSize);
      if (low >= high) continue;
      const { segment, offset, length, tag } = reference;
      /** Where byte 0 of the unit stands in the cell. */
      const origin = start - reference.skip * blockSize;
      if (low === origin && low + length <= high) {
        this.#volume.readUnit(
          segment,
          offset,
          length,
          tag,
          into.subarray(at + low - from, at + low - from + length),
          ahead,
        );
        into.fill(0, at + low - from + length, at + high - from);
        continue;
      }
      this.#volume.readUnit(segment, offset, length, tag, this.#scratch.subarray(0, length));
      const filled = Math.max(low, Math.min(high, origin + length));
      into.set(this.#scratch.subarray(low - origin, filled - origin), at + low - from);
      into.fill(0, at + filled - from, at + high - from);
    }
  }

  /** Makes a block of a waiting cell hold what the file holds there. */
  #fill(inode: Inode, cell: number, dirty: WaitingCell, block: number): void {
    if (dirty.present & (1 << block)) return;
    const start = block * blockSize;
    if (cell * cellBytes + start < inode.size)
      this.#readStored(this.#stored(inode.ino, cell), start, blockSize, dirty.data, start);
    else dirty.data.fill(0, start, start + blockSize);
    dirty.present |= 1 << block;
  }

  /** Takes `length` bytes for `offset`. Size and times are the caller's. */
  write(inode: Inode, offset: number, length: number, from: Uint8Array, at: number): void {
    for (let done = 0; done < length;) {
      const position = offset + done;
      const cell = Math.floor(position / cellBytes);
      const start = position - cell * cellBytes;
      const count = Math.min(cellBytes - start, length - done);
      if (count === cellBytes && length >= streamed) {
        this.#writeCell(inode, cell, from.subarray(at + done, at + done + count));
        done += count;
        continue;
      }
      const end = start + count;
      const first = Math.floor(start / blockSize);
      const last = Math.floor((end - 1) / blockSize);
      const dirty = this.#cells.take(inode.ino, cell, last + 1);
      if (start % blockSize !== 0) this.#fill(inode, cell, dirty, first);
      if (end % blockSize !== 0) this.#fill(inode, cell, dirty, last);
      dirty.data.set(from.subarray(at + done, at + done + count), start);
      dirty.present |= ((1 << (last - first + 1)) - 1) << first;
      done += count;
    }
  }

  /**
   * Takes whole cells that a program was told are written: what cannot be sealed now waits, so that the next commit tries it
   * again and whoever asks for one gets the error.
   */
  writeLate(inode: Inode, offset: number, length: number, from: Uint8Array, at: number): void {
    for (let done = 0; done < length; done += cellBytes) {
      const cell = (offset + done) / cellBytes;
      const data = from.subarray(at + done, at + done + cellBytes);
      try {
        this.#writeCell(inode, cell, data);
      } catch (error) {
        for (let rest = done; rest < length; rest += cellBytes) {
          const waiting = this.#cells.take(inode.ino, (offset + rest) / cellBytes, blocksPerCell);
          waiting.data.set(from.subarray(at + rest, at + rest + cellBytes));
          waiting.present = everyBlock;
        }
        throw error;
      }
    }
  }

  /** Seals a whole cell at once: large writes need not wait for more. */
  #writeCell(inode: Inode, cell: number, data: Uint8Array): void {
    const unit = this.#seal(0, data);
    const before = this.#stored(inode.ino, cell);
    this.#replace(inode, cell, before, [unit], withoutBlocks(before, 0, blocksPerCell).dropped);
    const waiting = this.#cells.get(inode.ino, cell);
    if (waiting) this.#cells.drop(inode.ino, waiting);
  }

  /** Seals the waiting blocks of a cell: each run of them as one unit. */
  #flushCell(inode: Inode, waiting: WaitingCell): void {
    const { cell, data, present } = waiting;
    const units: UnitReference[] = [];
    const blocks: number[] = [];
    for (let first = 0; first < blocksPerCell; first++) {
      if ((present & (1 << first)) === 0) continue;
      let end = first + 1;
      while (end < blocksPerCell && present & (1 << end)) end++;
      const start = first * blockSize;
      const length = Math.min(end * blockSize, inode.size - cell * cellBytes) - start;
      if (length > 0) {
        units.push(this.#seal(first, data.subarray(start, start + length)));
        blocks.push(end - first);
      }
      first = end;
    }
    if (units.length === 0 || this.#edited(inode, cell, units, blocks)) return;
    const before = this.#stored(inode.ino, cell);
    const released: UnitReference[] = [];
    let after = before;
    for (const [i, unit] of units.entries()) {
      const { kept, dropped } = withoutBlocks(after, unit.first, blocks[i] as number);
      released.push(...dropped);
      insertReference(kept, unit);
      after = kept;
    }
    this.#replace(inode, cell, before, after, released);
  }

  /** Puts units in the place of so many blocks each, if that leaves no other unit divided. */
  #edited(inode: Inode, cell: number, units: readonly UnitReference[], blocks: readonly number[]): boolean {
    const edit = this.#edit;
    if (!edit.begin(this.#volume.get(cellKey(inode.ino, cell)))) return false;
    for (let i = 0; i < units.length; i++)
      if (!edit.replace(units[i] as UnitReference, blocks[i] as number)) return false;
    this.#volume.put(cellKey(inode.ino, cell), edit.value);
    const { dropped } = edit;
    for (let i = 0; i < dropped.length; i += 2)
      this.#volume.releaseUnit(dropped[i] as number, dropped[i + 1] as number);
    this.#addBlocks(inode, edit.difference);
    return true;
  }

  #seal(first: number, plain: Uint8Array): UnitReference {
    const { length } = plain;
    this.#volume.writeUnit(plain);
    const { unitSegment: segment, unitOffset: offset, unitTag } = this.#volume;
    return {
      first,
      count: Math.ceil(length / blockSize),
      skip: 0,
      length,
      segment,
      offset,
      tag: unitTag.slice(),
    };
  }

  /** Changes what a cell refers to, in the order of its blocks. Where that fails nothing has changed: units are given back last. */
  #replace(
    inode: Inode,
    cell: number,
    before: readonly UnitReference[],
    after: readonly UnitReference[],
    released: readonly UnitReference[],
  ): void {
    const difference = bitCount(coveredBlocks(after)) - bitCount(coveredBlocks(before));
    if (after.length > 0) this.#volume.put(cellKey(inode.ino, cell), encodeCell(after));
    else this.#volume.delete(cellKey(inode.ino, cell));
    for (const { segment, length } of released) this.#volume.releaseUnit(segment, length);
    this.#addBlocks(inode, difference);
  }

  /** A file holds so many blocks more. */
  #addBlocks(inode: Inode, difference: number): void {
    if (difference === 0) return;
    inode.blocks += difference;
    this.#inodes.changed(inode);
  }

  /** Seals everything of one file that waits. */
  flushFile(ino: number): void {
    if (!this.#cells.has(ino)) return;
    const inode = this.#inodes.get(ino);
    for (const dirty of this.#cells.of(ino)) {
      this.#flushCell(inode, dirty);
      this.#cells.drop(ino, dirty);
    }
  }

  /** Seals everything that waits. */
  flush(): void {
    for (const ino of this.#cells.files) this.flushFile(ino);
  }

  /** Removes the stored and waiting blocks of one cell from `first` on. */
  #cut(inode: Inode, cell: number, first: number, count: number): void {
    const dirty = this.#cells.get(inode.ino, cell);
    if (dirty) {
      dirty.present &= ~(((1 << count) - 1) << first) & everyBlock;
      if (dirty.present === 0) this.#cells.drop(inode.ino, dirty);
    }
    const before = this.#stored(inode.ino, cell);
    const { kept, dropped } = withoutBlocks(before, first, count);
    if (
      before.length === 0 ||
      (dropped.length === 0 && kept.length === before.length && coveredBlocks(kept) === coveredBlocks(before))
    )
      return;
    this.#replace(inode, cell, before, kept, dropped);
  }

  /** Numbers of the stored and waiting cells of a file from `from` to before `end`. */
  #numbers(ino: number, from: number, end: number): number[] {
    const found = new Set<number>();
    for (const { cell } of this.#cells.of(ino)) if (cell >= from && cell < end) found.add(cell);
    this.#volume.scan(cellKey(ino, from), (key) => {
      const cell = numberAt(key, 7, cellSize);
      if (!isOf(key, ino, kind.cell) || cell >= end) return false;
      found.add(cell);
      return true;
    });
    return [...found];
  }

  /** Removes the bytes from `start` to before `end`: they read as zero. */
  punch(inode: Inode, start: number, end: number): void {
    const firstWhole = Math.ceil(start / blockSize);
    const endWhole = Math.floor(end / blockSize);
    if (firstWhole > endWhole) {
      this.#zero(inode, start, end);
      return;
    }
    this.#zero(inode, start, firstWhole * blockSize);
    this.#zero(inode, endWhole * blockSize, end);
    if (firstWhole === endWhole) return;
    const firstCell = Math.floor(firstWhole / blocksPerCell);
    const endCell = Math.ceil(endWhole / blocksPerCell);
    for (const cell of this.#numbers(inode.ino, firstCell, endCell)) {
      const first = Math.max(0, firstWhole - cell * blocksPerCell);
      const last = Math.min(blocksPerCell, endWhole - cell * blocksPerCell);
      this.#cut(inode, cell, first, last - first);
    }
  }

  /** Overwrites a part of one block with zeros, if the block holds anything. */
  #zero(inode: Inode, start: number, end: number): void {
    if (start >= end) return;
    const cell = Math.floor(start / cellBytes);
    const from = start - cell * cellBytes;
    const block = Math.floor(from / blockSize);
    const waiting = this.#cells.get(inode.ino, cell);
    const held = (waiting?.present ?? 0) | coveredBlocks(this.#stored(inode.ino, cell));
    if ((held & (1 << block)) === 0) return;
    const dirty = this.#cells.take(inode.ino, cell, block + 1);
    this.#fill(inode, cell, dirty, block);
    dirty.data.fill(0, from, from + end - start);
  }

  /** Makes the file `size` bytes long; what is added reads as zero. */
  truncate(inode: Inode, size: number): void {
    if (size < inode.size) {
      const boundary = Math.ceil(size / blockSize) * blockSize;
      this.#zero(inode, size, boundary);
      if (boundary < inode.size) this.punch(inode, boundary, Math.ceil(inode.size / blockSize) * blockSize);
    }
    inode.size = size;
    this.#inodes.changed(inode);
  }

  /** Has what a cell holds in these segments sealed again elsewhere. */
  move(inode: Inode, cell: number, segments: ReadonlySet<number>): void {
    const waited = this.#cells.get(inode.ino, cell) !== undefined;
    let dirty: WaitingCell | undefined;
    for (const { segment, first, count } of this.#stored(inode.ino, cell)) {
      if (!segments.has(segment)) continue;
      dirty = this.#cells.take(inode.ino, cell, first + count);
      for (let block = first; block < first + count; block++) this.#fill(inode, cell, dirty, block);
    }
    // What a program has written there may not be all that it writes.
    if (!dirty || waited) return;
    this.#flushCell(inode, dirty);
    this.#cells.drop(inode.ino, dirty);
  }

  /** Removes all data of a file that goes away. */
  remove(inode: Inode): void {
    if (this.#cells.has(inode.ino))
      for (const dirty of this.#cells.of(inode.ino)) this.#cells.drop(inode.ino, dirty);
    if (inode.blocks === 0) return;
    for (const cell of this.#numbers(inode.ino, 0, Infinity)) {
      const { dropped } = withoutBlocks(this.#stored(inode.ino, cell), 0, blocksPerCell);
      this.#volume.delete(cellKey(inode.ino, cell));
      for (const { segment, length } of dropped) this.#volume.releaseUnit(segment, length);
    }
  }

  /** The first offset from `offset` on that is data (or a hole): where there is none, undefined. */
  seek(inode: Inode, offset: number, data: boolean): number | undefined {
    if (offset >= inode.size) return undefined;
    this.flushFile(inode.ino);
    let block = Math.floor(offset / blockSize);
    let found: number | undefined;
    const end = Math.ceil(inode.size / blockSize);
    this.#volume.scan(cellKey(inode.ino, Math.floor(block / blocksPerCell)), (key, value) => {
      if (!isOf(key, inode.ino, kind.cell)) return false;
      const first = numberAt(key, 7, cellSize) * blocksPerCell;
      const mask = coveredBlocks(decodeCell(value));
      if (!data && first > block) return false;
      block = Math.max(block, first);
      for (; block < first + blocksPerCell; block++) {
        if (((mask & (1 << (block - first))) !== 0) === data) {
          found = block;
          return false;
        }
      }
      return true;
    });
    if (data && (found === undefined || found >= end)) return undefined;
    const result = Math.max(offset, (found ?? block) * blockSize);
    return data ? (result < inode.size ? result : undefined) : Math.min(result, inode.size);
  }
}
