import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LateAnswers } from './late-answers.ts';

void test('answers that were kept back go out once each, the first one last', () => {
  const sent: [number, number][] = [];
  const late = new LateAnswers((unique, size) => sent.push([unique, size]));
  late.send();
  late.add(2 ** 40, 10);
  late.add(6, 20);
  late.add(8, 30);
  assert.deepEqual(sent, []);
  late.send();
  late.send();
  assert.deepEqual(sent, [
    [8, 30],
    [6, 20],
    [2 ** 40, 10],
  ]);
});

void test('no more are kept back than have room', () => {
  const sent: number[] = [];
  const late = new LateAnswers((unique) => sent.push(unique));
  for (let i = 0; i < 100; i++) late.add(i, 1);
  assert.deepEqual(
    sent,
    Array.from({ length: 64 }, (_, i) => 63 - i),
  );
  late.send();
  assert.deepEqual(
    sent.toSorted((a, b) => a - b),
    Array.from({ length: 100 }, (_, i) => i),
  );
});
