import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gate } from './gate.ts';

void test('a gate bounds what runs and what waits, and opens again', async () => {
  const gate = new Gate({ running: 2, waiting: 1 });
  const releases: (() => void)[] = [];
  let running = 0;
  let most = 0;
  const task = async (): Promise<void> => {
    most = Math.max(most, ++running);
    await new Promise<void>((resolve) => releases.push(resolve));
    running--;
  };
  const started = [gate.run(task), gate.run(task), gate.run(task)];
  await assert.rejects(gate.run(task), /fewer at once expected/);
  while (releases.length > 0) {
    releases.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(started);
  assert.equal(most, 2);
  await assert.rejects(
    gate.run(() => Promise.reject(new Error('its own'))),
    /its own/,
  );
  assert.equal(await gate.run(() => Promise.resolve(7)), 7);
});
