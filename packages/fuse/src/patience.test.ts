import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Patience } from './patience.ts';

void test('looking for requests is given up where it does not pay, and tried again', () => {
  const patience = new Patience(150);
  assert.equal(patience.looks, 150);
  for (let i = 0; i < 10; i++) patience.exhausted();
  assert.equal(patience.looks, 8);
  patience.paid();
  assert.equal(patience.looks, 16);
  for (let i = 0; i < 10; i++) patience.paid();
  assert.equal(patience.looks, 150);
  let long = 0;
  for (let i = 0; i < 320; i++) {
    patience.exhausted();
    if (patience.looks === 150) long++;
  }
  assert.equal(long, 10);
  const single = new Patience(1);
  single.exhausted();
  single.paid();
  assert.equal(single.looks, 1);
});
