import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PolicyError } from './errors.ts';
import { substituteHostArguments } from './host-arguments.ts';

function refused(message: RegExp) {
  return (error: unknown) =>
    error instanceof PolicyError && error.code === 'POLICY_HOST_ARGUMENT' && message.test(error.message);
}

void test('@@N takes the N-th host argument, the first is 1', () => {
  assert.deepEqual(substituteHostArguments(['run', '@@2', 'x@@1', '@@1'], ['a b', '@@2']), [
    'run',
    '@@2',
    'x@@1',
    'a b',
  ]);
});

void test('a missing argument, one taken twice and one that nobody takes are refused', () => {
  assert.throws(
    () => substituteHostArguments(['run', '@@2'], ['a']),
    refused(/for @@2 expected, 1 arguments/),
  );
  assert.throws(() => substituteHostArguments(['run', '@@0'], ['a']), refused(/for @@0/));
  assert.throws(() => substituteHostArguments(['run', '@@1', '@@1'], ['a']), refused(/twice/));
  assert.throws(() => substituteHostArguments(['run'], ['a']), refused(/argument 1 is taken by no @@N/));
});

void test('arguments that nobody takes can be left out', () => {
  assert.deepEqual(substituteHostArguments(['run', '@@3'], ['a', 'b', 'c'], { unused: 'ignore' }), [
    'run',
    'c',
  ]);
});
