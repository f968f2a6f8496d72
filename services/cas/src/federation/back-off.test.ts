import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BackOff } from './back-off.ts';

void test('each failure doubles the pause, up to a minute; a success ends it', () => {
  const backOff = new BackOff();
  let now = 0;
  const pauses: number[] = [];
  for (let n = 0; n < 8; n++) {
    backOff.failed('a', now);
    const pause = backOff.pause('a', now);
    pauses.push(pause);
    now += pause;
    assert.equal(backOff.pause('a', now), 0);
  }
  assert.deepEqual(pauses, [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
  assert.equal(backOff.pause('b', now), 0);
  backOff.succeeded('a');
  backOff.failed('a', now);
  assert.equal(backOff.pause('a', now), 1000);
});

void test('those that failed together count once', () => {
  const backOff = new BackOff();
  for (let n = 0; n < 10; n++) backOff.failed('a', 5);
  assert.equal(backOff.pause('a', 5), 1000);
});

void test('it remembers a bounded number of peers', () => {
  const backOff = new BackOff();
  for (let n = 0; n < 3000; n++) backOff.failed(`peer ${n}`, 0);
  assert.equal(backOff.pause('peer 0', 0), 0);
  assert.equal(backOff.pause('peer 2999', 0), 1000);
});
