import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { utf8 } from '@ensconce/base/bytes';
import { encodeFields } from '@ensconce/base/fields';
import { Bucket } from './bucket.ts';
import { StateRoot } from './state-root.ts';

interface Kept {
  readonly table: string;
  readonly key: Uint8Array;
  readonly version: number;
  readonly body: Uint8Array;
}

const sha = (label: string, fields: readonly Uint8Array[]): Buffer =>
  createHash('sha256').update(encodeFields(label, fields)).digest();

/** The root word for word as docs/formats/cas-database.md has it. */
function documentedRoot(records: readonly Kept[]): Buffer {
  const leaves = records.map(({ table, key, version, body }) => {
    const number = Buffer.alloc(8);
    number.writeBigUInt64BE(BigInt(version));
    const slot = sha('slot', [utf8(table), key]);
    return { slot, leaf: sha('leaf', [utf8(table), key, number, body]) };
  });
  const sorted = leaves.toSorted((a, b) => Buffer.compare(a.slot, b.slot));
  const buckets = Map.groupBy(sorted, ({ slot }) => slot.readUInt16BE(0) >> 4);
  let level = Array.from({ length: 4096 }, (_, i) =>
    sha(
      'bucket',
      (buckets.get(i) ?? []).map(({ leaf }) => leaf),
    ),
  );
  while (level.length > 1) {
    const below = level;
    level = Array.from({ length: below.length / 16 }, (_, i) =>
      sha('node', below.slice(i * 16, (i + 1) * 16)),
    );
  }
  return level[0] as Buffer;
}

const idOf = ({ table, key }: Pick<Kept, 'table' | 'key'>): string =>
  `${table}:${Buffer.from(key).toString('hex')}`;

void test('whatever comes, changes and goes, the root is the documented one over what is left', () => {
  const key = fc.integer({ min: 0, max: 40 }).map((n) => Buffer.alloc(32, n));
  const body = fc.option(fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.constant(new Uint8Array(70_000))), {
    nil: undefined,
  });
  const version = fc.oneof(fc.integer({ min: 1, max: 5 }), fc.constant(2 ** 40 + 1));
  const change = fc.record({ table: fc.constantFrom('session', 'täble'), key, version, body });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
      const root = new StateRoot();
      const kept = new Map<string, Kept>();
      for (const { body: sealed, ...place } of changes) {
        root.set(place, sealed);
        if (sealed === undefined) kept.delete(idOf(place));
        else kept.set(idOf(place), { ...place, body: sealed });
      }
      assert.deepEqual(Buffer.from(root.value), documentedRoot([...kept.values()]));
      for (const { table, key: one } of changes) {
        const found = kept.get(idOf({ table, key: one }));
        assert.equal(root.versionOf({ table, key: one }), found?.version);
        assert.equal(root.holds({ table, key: one, version: 0 }, undefined), found === undefined);
        if (found === undefined) continue;
        const place = { table, key: one, version: found.version };
        assert.ok(root.holds(place, found.body));
        assert.equal(root.holds({ ...place, version: found.version + 1 }, found.body), false);
        assert.equal(root.holds(place, Buffer.concat([found.body, Buffer.alloc(1)])), false);
      }
    }),
    { numRuns: 30 },
  );
});

void test('a bucket is what a sorted map is, at 90 bytes a record', () => {
  const hash32 = (label: string, n: number): Buffer => createHash('sha256').update(`${label} ${n}`).digest();
  const bucket = new Bucket();
  const model = new Map<string, { leaf: Buffer; version: number }>();
  for (let i = 0; i < 4000; i++) {
    const n = (i * 7919) % 3001;
    const slot = hash32('slot', n);
    if (i % 5 === 4) {
      bucket.delete(slot);
      model.delete(slot.toString('hex'));
    } else {
      bucket.set(slot, hash32('leaf', i), i);
      model.set(slot.toString('hex'), { leaf: hash32('leaf', i), version: i });
    }
  }
  const sorted = [...model].toSorted(([a], [b]) => (a < b ? -1 : 1));
  assert.equal(bucket.count, sorted.length);
  for (const [index, [slot, { leaf, version }]] of sorted.entries()) {
    assert.deepEqual(Buffer.from(bucket.leafAt(index)), leaf);
    assert.deepEqual(bucket.leafOf(Buffer.from(slot, 'hex')), bucket.leafAt(index));
    assert.equal(bucket.versionOf(Buffer.from(slot, 'hex')), version);
  }
  assert.equal(bucket.leafOf(hash32('none', 0)), undefined);
  assert.ok(bucket.bytes <= 90 * bucket.count + 1000, `${bucket.bytes} bytes of ${bucket.count} records`);
});
