import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { formatSession } from './format.ts';
import { parseSessionOrThrow } from './parse.ts';
import { sessionHash } from './session-hash.ts';
import { verifySignatures, versionOf, type SessionSignature } from './signature.ts';

const folder = join(import.meta.dirname, '..', '..', '..', 'test', 'golden', 'session');
const text = readFileSync(join(folder, 'session.yml'), 'utf8');
const expected = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as {
  readonly hash: string;
  readonly signatures: readonly SessionSignature[];
};

void test('a session hashed and signed by an earlier release keeps its hash and its signatures', () => {
  const session = parseSessionOrThrow(text);
  assert.equal(sessionHash(session), expected.hash);
  const [signature] = expected.signatures;
  const now = new Date('2030-01-01T00:00:00Z');
  assert.equal(
    verifySignatures(versionOf(session), expected.signatures, signature?.cas ?? '', now).length,
    2,
  );
  assert.equal(sessionHash(parseSessionOrThrow(formatSession(session, { secrets: 'shown' }))), expected.hash);
});
