import assert from 'node:assert/strict';
import { test } from 'node:test';
import { causeChain, EnsconceError, hintOf } from './errors.ts';

class TestError extends EnsconceError<'TEST'> {}

void test('an error has its own name, code, hint and cause', () => {
  const cause = new Error('inner');
  const error = new TestError('TEST', 'outer', { cause, hint: 'do this' });
  assert.equal(error.name, 'TestError');
  assert.equal(error.code, 'TEST');
  assert.equal(error.hint, 'do this');
  assert.equal(error.cause, cause);
  assert.equal('cause' in new TestError('TEST', 'alone'), false);
});

void test('a cause chain lists the messages, outermost first', () => {
  const error = new TestError('TEST', 'a', { cause: new Error('b', { cause: new TypeError('c') }) });
  assert.deepEqual(causeChain(error), ['a', 'b', 'c']);
  assert.deepEqual(causeChain(new Error('a', { cause: 'text' })), ['a', 'text']);
  assert.deepEqual(causeChain(new Error('a', { cause: 7 })), ['a', 'a value that is no error was thrown']);
  assert.deepEqual(causeChain(undefined), []);
});

void test('a cause chain with a cycle ends', () => {
  const [first, second] = [new Error('first'), new TestError('TEST', 'second')];
  first.cause = second;
  second.cause = first;
  assert.deepEqual(causeChain(first), ['first', 'second']);
  assert.equal(hintOf(first), undefined);
});

void test('an aggregate without a message is told by its parts', () => {
  const refused = new AggregateError([
    new Error('connect ECONNREFUSED ::1:1'),
    new Error('connect ECONNREFUSED 127.0.0.1:1'),
  ]);
  assert.deepEqual(causeChain(new TestError('TEST', 'a', { cause: refused })), [
    'a',
    'connect ECONNREFUSED ::1:1; connect ECONNREFUSED 127.0.0.1:1',
  ]);
});

void test('the outermost hint counts', () => {
  const inner = new TestError('TEST', 'b', { hint: 'inner' });
  assert.equal(hintOf(new Error('a', { cause: inner })), 'inner');
  assert.equal(hintOf(new TestError('TEST', 'a', { cause: inner, hint: 'outer' })), 'outer');
  assert.equal(hintOf('no error'), undefined);
});
