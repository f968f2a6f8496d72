import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Patience } from './patience.ts';

void test('looking for requests is given up where it does not pay', () => {
  const patience = new Patience(150);
  assert.equal(patience.looks, 150);
  for (let i = 0; i < 10; i++) patience.exhausted();
  assert.equal(patience.looks, 2);
  patience.paid();
  assert.equal(patience.looks, 4);
  for (let i = 0; i < 10; i++) patience.paid();
  assert.equal(patience.looks, 150);
});

void test('it is tried again, ever more seldom, and as soon as at first where it has paid again', () => {
  const patience = new Patience(150);
  /** Waits until it looks for long again. */
  const waits = (): number => {
    for (let count = 1; ; count++) {
      patience.exhausted();
      if (patience.looks === 150) return count;
    }
  };
  assert.deepEqual([1, 2, 3, 4].map(waits), [32, 64, 128, 256]);
  for (let i = 0; i < 10; i++) waits();
  assert.equal(waits(), 2048);
  patience.paid();
  for (let i = 0; i < 10; i++) patience.exhausted();
  assert.equal(waits(), 22);
});

void test('a single processor is never looked on', () => {
  const single = new Patience(1);
  single.exhausted();
  single.paid();
  assert.equal(single.looks, 1);
});
