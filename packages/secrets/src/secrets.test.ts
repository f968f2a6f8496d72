import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { fromUtf8 } from '@ensconce/base/bytes';
import { parseSessionOrThrow } from '@ensconce/policy/parse';
import type { Session } from '@ensconce/policy/session';
import { substituteSecrets } from '@ensconce/policy/substitution';
import { generateAscii } from './ascii.ts';
import { base32 } from './base32.ts';
import { SecretsError } from './errors.ts';
import { renderSecret, secretLookup } from './render.ts';
import { createSecrets, parseSecretState, restoreSecretState } from './state.ts';

const random = (size: number) => new Uint8Array(randomBytes(size));
function sessionWith(...secrets: readonly string[]): Session {
  return parseSessionOrThrow(
    `name: s\nversion: "0.3"\nsecrets:\n${secrets.map((line) => `- ${line}\n`).join('')}`,
  );
}

void test('ascii values have the size asked for and every character is equally likely', () => {
  const text = generateAscii(62_000, random);
  assert.match(text, /^[A-Za-z0-9]{62000}$/);
  const counts = new Map<string, number>();
  for (const char of text) counts.set(char, (counts.get(char) ?? 0) + 1);
  assert.equal(counts.size, 62);
  // 1000 expected each, standard deviation 31: seven of them are never seen by chance.
  for (const [char, count] of counts) assert.ok(Math.abs(count - 1000) < 220, `${char}: ${count}`);
});

void test('bytes that would favour some characters are thrown away', () => {
  const bytes = [255, 250, 248, 247, 0, 61, 62];
  assert.equal(
    generateAscii(4, () => Uint8Array.from(bytes)),
    '9A9A',
  );
});

void test('values are made, given and rendered', () => {
  const session = sessionWith(
    '{name: a, kind: ascii}',
    '{name: b, kind: binary, size: 3}',
    '{name: c, kind: binary, value: 00FFee}',
    '{name: d, kind: ascii, value: "x y"}',
    '{name: e, import: {session: t}}',
  );
  const state = createSecrets(session, { random });
  assert.equal(renderSecret(state, 'a', '').length, 20);
  assert.equal(renderSecret(state, 'b', '').length, 3);
  const lookup = secretLookup(session, state);
  assert.equal(
    substituteSecrets(
      '$$SCONE::c:hex$$ $$SCONE::c:base64$$ $$SCONE::c:base64url$$ $$SCONE::d:base32$$ $$SCONE::d:base32nopad$$',
      lookup,
    ),
    '00ffee AP/u AP_u PAQHS=== PAQHS',
  );
  assert.equal(lookup({ name: 'e', format: '' }), undefined);
  assert.equal(lookup({ name: 'zzz', format: '' }), undefined);
  assert.throws(() => renderSecret(state, 'a', 'pem'), SecretsError);
  assert.deepEqual(parseSecretState(JSON.parse(JSON.stringify(state))), state);
});

void test('RFC 4648 vectors of base32', () => {
  for (const [text, encoded] of [
    ['', ''],
    ['f', 'MY======'],
    ['fo', 'MZXQ===='],
    ['foo', 'MZXW6==='],
    ['foob', 'MZXW6YQ='],
    ['fooba', 'MZXW6YTB'],
    ['foobar', 'MZXW6YTBOI======'],
  ] as const) {
    assert.equal(base32(new TextEncoder().encode(text), true), encoded);
  }
});

void test('an update keeps generated values of the same name, kind and size only', () => {
  const before = sessionWith(
    '{name: a, kind: ascii}',
    '{name: b, kind: binary}',
    '{name: c, kind: ascii}',
    '{name: d, kind: ascii, value: x}',
  );
  const state = createSecrets(before, { random });
  const after = sessionWith(
    '{name: a, kind: ascii}',
    '{name: b, kind: binary, size: 32}',
    '{name: c, kind: binary}',
    '{name: d, kind: ascii}',
  );
  const next = createSecrets(after, { random, previous: { session: before, state } });
  assert.deepEqual(next.secrets['a'], state.secrets['a']);
  assert.equal(renderSecret(next, 'b', '').length, 32);
  assert.equal(next.secrets['c']?.kind, 'binary');
  assert.equal(renderSecret(next, 'd', '').length, 20);
});

void test('a stored state that is not one is refused without showing it', () => {
  for (const bad of [
    null,
    {},
    { version: 2, secrets: {} },
    { version: 1, secrets: { a: { kind: 'ascii', value: 'hunter2' } } },
  ]) {
    assert.throws(
      () => parseSecretState(bad),
      (error) =>
        error instanceof SecretsError && error.code === 'SECRETS_STATE' && !error.message.includes('hunter2'),
    );
  }
});

void test('the values of an authentic record come back as they were written', () => {
  const state = createSecrets(sessionWith('{name: a, kind: ascii}'), { random });
  assert.deepEqual(restoreSecretState(JSON.parse(JSON.stringify(state))), state);
  for (const bad of [null, {}, { version: 2, secrets: {} }, { version: 1, secrets: 'hunter2' }]) {
    assert.throws(
      () => restoreSecretState(bad),
      (error) =>
        error instanceof SecretsError && error.code === 'SECRETS_STATE' && !error.message.includes('hunter2'),
    );
  }
});

void test('property: names of Object.prototype are no secrets', () => {
  const state = createSecrets(sessionWith('{name: a, kind: ascii}'), { random });
  fc.assert(
    fc.property(fc.constantFrom('constructor', 'toString', '__proto__', 'hasOwnProperty'), (name) => {
      assert.throws(() => renderSecret(state, name, ''), SecretsError);
    }),
  );
});

void test('text secrets may hold any text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (value) => {
      const state = createSecrets(sessionWith(`{name: a, kind: ascii, value: ${JSON.stringify(value)}}`), {
        random,
      });
      assert.equal(fromUtf8(renderSecret(state, 'a', '')), value);
    }),
    { numRuns: 50 },
  );
});
