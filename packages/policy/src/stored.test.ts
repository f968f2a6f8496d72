import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PolicyError } from './errors.ts';
import { parseSessionOrThrow } from './parse.ts';
import type { Session } from './session.ts';
import { sessionHash } from './session-hash.ts';
import { restoreSession, storeSession } from './stored.ts';
import { wholeSession } from './test/whole-session.ts';

void test('what is stored comes back with its hash, and cannot be changed', () => {
  const session = parseSessionOrThrow(wholeSession);
  const kept = storeSession(session);
  assert.equal(kept.sessionHash, sessionHash(session));
  const restored = restoreSession(JSON.parse(JSON.stringify(kept.session)));
  assert.deepEqual(restored, session);
  assert.equal(sessionHash(restored), kept.sessionHash);
  assert.ok(Object.isFrozen(restored.services[0]?.environment));
  for (const bad of [null, 7, 'session', []]) assert.throws(() => restoreSession(bad), PolicyError);
});

void test('a session that would come back as another one is not stored', () => {
  const session = parseSessionOrThrow(wholeSession);
  // JSON asks a value with this method for what to write; canonical JSON does not.
  const name = Object.assign(Object.create({ toJSON: () => 'another' }) as object, { part: 'x' });
  assert.throws(() => storeSession({ ...session, name } as unknown as Session), PolicyError);
});
