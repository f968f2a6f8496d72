import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PolicyError } from './errors.ts';
import { parseSessionOrThrow } from './parse.ts';
import { sessionHash } from './session-hash.ts';
import { restoreSession, storeSession } from './stored.ts';
import { wholeSession } from './test/whole-session.ts';

void test('what is stored comes back, and nothing else under its hash', () => {
  const session = parseSessionOrThrow(wholeSession);
  const hash = sessionHash(session);
  const json = JSON.stringify(storeSession(session));
  assert.deepEqual(restoreSession(JSON.parse(json), hash), session);
  for (const bad of [JSON.parse(json.replace('ns/app', 'ns/apq')), null, 7, [], { name: 1.5 }]) {
    assert.throws(() => restoreSession(bad, hash), PolicyError);
  }
});
