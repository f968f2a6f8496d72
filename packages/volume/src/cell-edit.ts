import { blockSize, blocksPerCell, unitReferenceSize } from './units.ts';
import type { UnitReference } from './units.ts';

/**
 * The value of a cell while whole units in it are replaced by new ones, without an object for each reference: that is what most
 * writes come to. Everything else is done by `withoutBlocks`, which this is held against.
 */
export class CellEdit {
  readonly #bytes = new Uint8Array((blocksPerCell + 1) * unitReferenceSize);
  readonly #view = new DataView(this.#bytes.buffer);
  #used = 0;
  /** Units that are referred to no more: segment and length of each, one after the other. */
  readonly dropped: number[] = [];
  /** So many blocks more are held than before. */
  difference = 0;

  /** Starts from the value that is stored; false where it is none that this can edit. */
  begin(value: Uint8Array | undefined): boolean {
    this.dropped.length = 0;
    this.difference = 0;
    this.#used = value?.length ?? 0;
    if (this.#used % unitReferenceSize !== 0 || this.#used > blocksPerCell * unitReferenceSize) return false;
    if (value) this.#bytes.set(value);
    return true;
  }

  /** What came of it, valid until the next change. */
  get value(): Uint8Array {
    return this.#bytes.subarray(0, this.#used);
  }

  /** Puts `unit` in the place of the `blocks` blocks from its first one; false where another unit would remain in part. */
  replace(unit: UnitReference, blocks: number): boolean {
    const bytes = this.#bytes;
    const end = unit.first + blocks;
    let to = 0;
    /** Where the new reference goes: behind those of blocks before it. */
    let place = 0;
    for (let at = 0; at < this.#used; at += unitReferenceSize) {
      const [first, count] = [bytes[at] as number, bytes[at + 1] as number];
      if (first + count > unit.first && first < end) {
        if (first < unit.first || first + count > end || !this.#isWhole(at)) return false;
        this.dropped.push(this.#view.getUint32(at + 8, true), this.#view.getUint32(at + 4, true));
        this.difference -= count;
        continue;
      }
      if (to < at) bytes.copyWithin(to, at, at + unitReferenceSize);
      to += unitReferenceSize;
      if (first < unit.first) place = to;
    }
    if (to === blocksPerCell * unitReferenceSize) return false;
    bytes.copyWithin(place + unitReferenceSize, place, to);
    this.#put(place, unit);
    this.#used = to + unitReferenceSize;
    this.difference += unit.count;
    return true;
  }

  /** Whether the reference is to all of its unit, so that there is no other one to it. */
  #isWhole(at: number): boolean {
    const [count, skip] = [this.#bytes[at + 1] as number, this.#bytes[at + 2] as number];
    return count > 0 && skip === 0 && count * blockSize >= this.#view.getUint32(at + 4, true);
  }

  #put(at: number, { first, count, skip, length, segment, offset, tag }: UnitReference): void {
    const bytes = this.#bytes;
    bytes[at] = first;
    bytes[at + 1] = count;
    bytes[at + 2] = skip;
    bytes[at + 3] = 0;
    this.#view.setUint32(at + 4, length, true);
    this.#view.setUint32(at + 8, segment, true);
    this.#view.setUint32(at + 12, offset, true);
    for (let i = 0; i < tag.length; i++) bytes[at + 16 + i] = tag[i] as number;
  }
}
