import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SessionCache } from './session-cache.ts';
import type { StoredSession } from './session-record.ts';

const sessionOf = (name: string, text = ''): StoredSession =>
  ({ stored: { name, text } }) as unknown as StoredSession;

/** What a start does: asks, and has what is not there read. */
function ask(cache: SessionCache, name: string, text?: string): 'in memory' | 'read' {
  if (cache.get(name) !== undefined) return 'in memory';
  cache.set(name, sessionOf(name, text));
  return 'read';
}

void test('a session that is asked for again soon stays, whatever is asked for once', () => {
  const cache = new SessionCache();
  assert.equal(ask(cache, 'often'), 'read');
  assert.equal(ask(cache, 'often'), 'in memory');
  for (let i = 0; i < 100; i++) ask(cache, `one ${i}`);
  assert.equal(ask(cache, 'often'), 'read');
  for (let i = 0; i < 20_000; i++) ask(cache, `other ${i}`);
  assert.equal(ask(cache, 'often'), 'in memory');
  assert.equal(ask(cache, 'other 1'), 'read');
});

void test('what is kept is bounded, and the least recently used goes first', () => {
  const cache = new SessionCache();
  const large = 'x'.repeat(4 * 1024 * 1024);
  const names = ['a', 'b', 'c', 'd'];
  const round = (): string[] => names.map((name) => ask(cache, name, large));
  round();
  for (let i = 0; i < 100; i++) ask(cache, `one ${i}`);
  assert.deepEqual(round(), ['read', 'read', 'read', 'read']);
  for (let i = 0; i < 100; i++) ask(cache, `two ${i}`);
  // Three of them fit.
  assert.equal(cache.get('a'), undefined);
  assert.ok(cache.get('b'));
});

void test('a new version takes the place of the one before, on trial and kept', () => {
  const cache = new SessionCache();
  cache.set('a', sessionOf('a', 'first'));
  cache.set('a', sessionOf('a', 'second'));
  assert.equal(cache.get('a')?.stored.text, 'second');
  for (let i = 0; i < 100; i++) ask(cache, `one ${i}`);
  cache.set('a', sessionOf('a', 'third'));
  for (let i = 0; i < 100; i++) ask(cache, `two ${i}`);
  assert.equal(cache.get('a')?.stored.text, 'third');
  cache.set('a', sessionOf('a', 'fourth'));
  assert.equal(cache.get('a')?.stored.text, 'fourth');
  for (let i = 0; i < 100; i++) ask(cache, `three ${i}`);
  assert.equal(cache.get('a')?.stored.text, 'fourth');
});

void test('a session that was asked for without being read is kept when it is read soon after, and no later', () => {
  const cache = new SessionCache();
  assert.equal(cache.expects('a'), false);
  cache.remember('a');
  assert.equal(cache.expects('a'), true);
  cache.set('a', sessionOf('a'));
  assert.equal(cache.expects('a'), false);
  for (let i = 0; i < 100; i++) ask(cache, `one ${i}`);
  assert.equal(ask(cache, 'a'), 'in memory');
  cache.remember('b');
  for (let i = 0; i < 10_000; i++) cache.remember(`other ${i}`);
  assert.equal(cache.expects('b'), false);
});
