import { VolumeError } from './errors.ts';

/** Data is sealed in units of at most one cell: 8 blocks of 4 KiB. */
export const blockSize = 4096;
export const blocksPerCell = 8;
export const cellBytes = blockSize * blocksPerCell;
export const unitReferenceSize = 32;

/** A part of a cell and the unit that holds it (docs/formats/volume.md, "Cells"). */
export interface UnitReference {
  /** First block of the cell that this stands for, and how many. */
  readonly first: number;
  readonly count: number;
  /** How many blocks of the unit come before them. */
  readonly skip: number;
  /** Bytes of the unit; what is missing at its end is zero. */
  readonly length: number;
  readonly segment: number;
  readonly offset: number;
  readonly tag: Uint8Array;
}

/** Reads the value of a cell. The tags are views of it. */
export function decodeCell(value: Uint8Array): UnitReference[] {
  const references: UnitReference[] = [];
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  for (let at = 0; at < value.length; at += unitReferenceSize) {
    if (at + unitReferenceSize > value.length) malformed();
    const [first, count, skip] = [value[at] as number, value[at + 1] as number, value[at + 2] as number];
    const length = view.getUint32(at + 4, true);
    if (count === 0 || first + count > blocksPerCell || skip + count > blocksPerCell || length > cellBytes)
      malformed();
    references.push({
      first,
      count,
      skip,
      length,
      segment: view.getUint32(at + 8, true),
      offset: view.getUint32(at + 12, true),
      tag: value.subarray(at + 16, at + unitReferenceSize),
    });
  }
  return references;
}

function malformed(): never {
  throw new VolumeError('VOLUME_DAMAGED', 'a cell of well-formed references expected, others found');
}

// Made in the same bytes again: a cell changes with almost every write.
const encoded = new Uint8Array(blocksPerCell * unitReferenceSize);
const encodedView = new DataView(encoded.buffer);

/** The value of a cell, valid until the next call. */
export function encodeCell(references: readonly UnitReference[]): Uint8Array {
  let at = 0;
  for (const reference of references) {
    encoded[at] = reference.first;
    encoded[at + 1] = reference.count;
    encoded[at + 2] = reference.skip;
    encodedView.setUint32(at + 4, reference.length, true);
    encodedView.setUint32(at + 8, reference.segment, true);
    encodedView.setUint32(at + 12, reference.offset, true);
    encoded.set(reference.tag, at + 16);
    at += unitReferenceSize;
  }
  return encoded.subarray(0, at);
}

/** What remains of `references` without the blocks from `first`, in the same order, and the units that are referred to no more. */
export function withoutBlocks(
  references: readonly UnitReference[],
  first: number,
  count: number,
): { kept: UnitReference[]; dropped: UnitReference[] } {
  const end = first + count;
  const kept: UnitReference[] = [];
  const touched: UnitReference[] = [];
  for (const reference of references) {
    const referenceEnd = reference.first + reference.count;
    if (referenceEnd <= first || reference.first >= end) {
      kept.push(reference);
      continue;
    }
    // A unit that was divided is referred to more than once, and dropped once.
    if (!refersTo(touched, reference)) touched.push(reference);
    if (reference.first < first) kept.push({ ...reference, count: first - reference.first });
    if (referenceEnd > end)
      kept.push({
        ...reference,
        first: end,
        count: referenceEnd - end,
        skip: reference.skip + end - reference.first,
      });
  }
  return { kept, dropped: touched.filter((reference) => !refersTo(kept, reference)) };
}

/** Whether one of `references` is to the same unit. */
function refersTo(references: readonly UnitReference[], { segment, offset }: UnitReference): boolean {
  for (const reference of references)
    if (reference.offset === offset && reference.segment === segment) return true;
  return false;
}

/** Puts a reference to its place among others, which are in the order of their blocks. */
export function insertReference(references: UnitReference[], added: UnitReference): void {
  let at = references.push(added) - 1;
  for (; at > 0; at--) {
    const before = references[at - 1] as UnitReference;
    if (before.first < added.first) break;
    references[at] = before;
  }
  references[at] = added;
}

/** Which blocks of the cell are held: bit n for block n. */
export function coveredBlocks(references: readonly UnitReference[]): number {
  let mask = 0;
  for (const { first, count } of references) mask |= ((1 << count) - 1) << first;
  return mask;
}

export function bitCount(mask: number): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count++;
  return count;
}
