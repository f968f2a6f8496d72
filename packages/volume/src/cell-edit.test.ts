import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { CellEdit } from './cell-edit.ts';
import {
  bitCount,
  blockSize,
  blocksPerCell,
  coveredBlocks,
  decodeCell,
  encodeCell,
  insertReference,
  withoutBlocks,
} from './units.ts';
import type { UnitReference } from './units.ts';

/** A write to some blocks of a cell: the last of them may be left without data at the end of a file. */
const write = fc
  .record({
    first: fc.nat(blocksPerCell - 1),
    blocks: fc.integer({ min: 1, max: blocksPerCell }),
    short: fc.nat(blockSize),
  })
  .map(({ first, blocks, short }) => ({ first, blocks: Math.min(blocks, blocksPerCell - first), short }));

let offsets = 64;
const unitOf = ({
  first,
  blocks,
  short,
}: {
  first: number;
  blocks: number;
  short: number;
}): UnitReference => {
  const length = blocks * blockSize - (short % blockSize);
  offsets += 100;
  return {
    first,
    count: Math.ceil(length / blockSize),
    skip: 0,
    length,
    segment: 1 + (offsets % 3),
    offset: offsets,
    tag: new Uint8Array(16).fill(offsets),
  };
};

void test('a cell is edited as the slow way does it, or not at all', () => {
  const edit = new CellEdit();
  let edited = 0;
  fc.assert(
    fc.property(fc.array(write, { minLength: 1, maxLength: 12 }), (writes) => {
      let before: UnitReference[] = [];
      for (const one of writes) {
        const unit = unitOf(one);
        const { kept, dropped } = withoutBlocks(before, one.first, one.blocks);
        insertReference(kept, unit);
        assert.ok(edit.begin(encodeCell(before).slice()));
        if (edit.replace(unit, one.blocks)) {
          edited++;
          assert.deepEqual(edit.value.slice(), encodeCell(kept).slice());
          assert.deepEqual(
            edit.dropped,
            dropped.flatMap(({ segment, length }) => [segment, length]),
          );
          assert.equal(edit.difference, bitCount(coveredBlocks(kept)) - bitCount(coveredBlocks(before)));
        } else {
          // Only where a unit is, or was, divided.
          assert.ok(
            before.some(
              ({ first, count, length, skip }) =>
                skip > 0 ||
                count * blockSize < length ||
                (first < one.first + one.blocks && first + count > one.first),
            ),
          );
        }
        before = decodeCell(encodeCell(kept).slice());
      }
    }),
    { numRuns: 2000 },
  );
  assert.ok(edited > 2000, String(edited));
});

void test('several units are replaced one after the other', () => {
  const edit = new CellEdit();
  const old = [0, 2, 4, 6].map((first) => unitOf({ first, blocks: 2, short: 0 }));
  assert.ok(edit.begin(encodeCell(old).slice()));
  const fresh = [unitOf({ first: 2, blocks: 2, short: 0 }), unitOf({ first: 4, blocks: 4, short: 0 })];
  for (const unit of fresh) assert.ok(edit.replace(unit, unit.count));
  assert.deepEqual(edit.value.slice(), encodeCell([old[0] as UnitReference, ...fresh]).slice());
  assert.deepEqual(
    edit.dropped,
    [1, 2, 3].flatMap((i) => [old[i]?.segment, old[i]?.length]),
  );
  assert.equal(edit.difference, 0);
});

void test('what is no value of a cell is left to the slow way', () => {
  const edit = new CellEdit();
  assert.equal(edit.begin(new Uint8Array(33)), false);
  assert.equal(edit.begin(new Uint8Array(9 * 32)), false);
  // A count of 0.
  assert.equal(edit.begin(new Uint8Array(32)), true);
  edit.replace(unitOf({ first: 0, blocks: 1, short: 0 }), 1);
});
