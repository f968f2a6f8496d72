import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSessionOrThrow } from './parse.ts';
import { withCreator } from './session.ts';
import { sessionHash } from './session-hash.ts';

void test('texts that mean the same have the same hash', () => {
  const mre = 'ab'.repeat(32);
  const a = parseSessionOrThrow(
    `name: n/s\nversion: "0.3"\nservices:\n- {name: a, command: sh -c 'x y', mrenclaves: [${mre}], environment: {B: 1, A: ""}}\nsecrets:\n- {name: k, kind: ascii}\n- {name: i, import: {session: ../t}}\n`,
  );
  const b = parseSessionOrThrow(
    `# other order, other forms\nversion: '0.3'\nsecrets:\n- {kind: ascii, name: k, size: 20, export: }\n- {name: i, import: {session: n/t, secret: i}}\nservices:\n- environment: {A: , B: "1"}\n  attestation: {mrenclave: ${mre.toUpperCase()}}\n  command: [sh, -c, x y]\n  name: a\n  pwd: /\nname: n/s\npredecessor: ~\naccess_policy: {read: CREATOR}\n`,
  );
  assert.equal(sessionHash(a), sessionHash(b));
});

void test('a changed session and another creator change the hash', () => {
  const a = parseSessionOrThrow('name: s\nversion: "0.3"\n');
  const b = parseSessionOrThrow('name: s\nversion: "0.3"\nensconce: {accept_simulation: true}\n');
  const c = withCreator(a, { kind: 'signer', pem: 'x', keyHash: 'y' });
  assert.equal(new Set([a, b, c].map((session) => sessionHash(session))).size, 3);
});

void test('the documented example has the documented hash', () => {
  assert.equal(
    sessionHash(parseSessionOrThrow('name: hello\nversion: "0.3"\n')),
    '8d96553fb1325aaaa10e9b4a18235662f195eb0ac5af257495c27d91c0d21290',
  );
});
