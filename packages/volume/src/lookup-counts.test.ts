import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LookupCounts } from './lookup-counts.ts';

void test('lookup counts are those of a map, whatever order nodes come and go in', () => {
  const node = fc.oneof(
    fc.integer({ min: 1, max: 40 }),
    fc.integer({ min: 1, max: 5 }).map((n) => n * 1024),
    fc.integer({ min: 1, max: 2 ** 48 - 1 }),
  );
  const step = fc.record({ node, count: fc.integer({ min: 0, max: 3 }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
      const counts = new LookupCounts();
      const model = new Map<number, number>();
      for (const { node, count } of steps) {
        if (count === 0) {
          counts.add(node);
          model.set(node, (model.get(node) ?? 0) + 1);
        } else {
          const left = Math.max(0, (model.get(node) ?? 0) - count);
          assert.equal(counts.subtract(node, count), left);
          if (left > 0) model.set(node, left);
          else model.delete(node);
        }
        assert.equal(counts.get(node), model.get(node) ?? 0);
      }
      assert.equal(counts.size, model.size);
      for (const [node, count] of model) assert.equal(counts.get(node), count);
    }),
    { numRuns: 300 },
  );
});

void test('a hundred thousand nodes come and go', () => {
  const counts = new LookupCounts();
  const nodes = Array.from({ length: 100_000 }, (_, i) => 2 ** 33 + i * 3);
  for (const node of nodes) counts.add(node);
  for (const node of nodes) counts.add(node);
  assert.equal(counts.size, nodes.length);
  for (const [i, node] of nodes.entries()) assert.equal(counts.subtract(node, (i % 2) + 1), (i + 1) % 2);
  for (const [i, node] of nodes.entries()) assert.equal(counts.get(node), (i + 1) % 2);
  for (const node of nodes) counts.subtract(node, 9);
  assert.equal(counts.size, 0);
});
