import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { formatSession } from './format.ts';
import { parseSession, parseSessionOrThrow } from './parse.ts';
import { sessionHash } from './session-hash.ts';
import { wholeSession } from './test/whole-session.ts';

void test('a session written out and read again is the same session', () => {
  const session = parseSessionOrThrow(wholeSession);
  const text = formatSession(session, { secrets: 'shown' });
  const again = parseSession(text);
  assert.deepEqual(
    again.problems.filter(({ severity }) => severity === 'error'),
    [],
    text,
  );
  assert.deepEqual(again.session, session);
  assert.equal(sessionHash(parseSessionOrThrow(text)), sessionHash(session));
});

void test('property: whatever texts it holds', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 30 });
  fc.assert(
    fc.property(text, text, fc.array(text, { maxLength: 3 }), (value, content, words) => {
      const json = JSON.stringify;
      const { session } = parseSession(
        `name: s\nversion: "0.3"\nsecrets: [{name: a, kind: ascii, value: ${json(value)}}]\nimages: [{name: i, injection_files: [{path: /a, content: ${json(content)}}]}]\nservices: [{name: a, command: ${json(['run', ...words])}, environment: {A: ${json(content)}}, mrenclaves: [${'ab'.repeat(32)}]}]\n`,
      );
      fc.pre(session !== undefined);
      assert.deepEqual(parseSession(formatSession(session, { secrets: 'shown' })).session, session);
    }),
  );
});

void test('redacted text shows no secret and is no session', () => {
  const text = formatSession(parseSessionOrThrow(wholeSession), { secrets: 'redacted' });
  for (const secret of ['given: text', '00ff', 'hunter2', 'ABCDEFGH'])
    assert.ok(!text.includes(secret), secret);
  assert.ok(text.includes('$$SCONE::key:hex$$'));
  const { session, problems } = parseSession(text);
  assert.equal(session, undefined);
  assert.ok(problems.some(({ message }) => message.includes('!redacted')));
});
