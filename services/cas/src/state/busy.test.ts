import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Busy } from './busy.ts';

void test('who waits for idleness waits for everything that was begun, and no longer than its patience', async () => {
  const busy = new Busy();
  await busy.idle(60_000);
  const ends = [busy.begin(), busy.begin()];
  let idle = false;
  const waiting = busy.idle(60_000).then(() => (idle = true));
  ends[0]?.();
  ends[0]?.();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(idle, false, 'one that ends twice is one');
  assert.equal(busy.count, 1);
  await busy.idle(1);
  ends[1]?.();
  await waiting;
  assert.equal(busy.count, 0);
});
