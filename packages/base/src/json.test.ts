import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { fromUtf8, utf8 } from './bytes.ts';
import { canonicalJson, parseCanonicalJson, parseJson, type Json } from './json.ts';

/** Any character of Unicode. */
const codePoint = fc
  .integer({ min: 0, max: 0x10_ffff - 0x800 })
  .map((code) => String.fromCodePoint(code < 0xd800 ? code : code + 0x800));

const limit = 1_000_000;
const { value: jsonValue } = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom(null, true, false),
    fc.maxSafeInteger().map((n) => (Object.is(n, -0) ? 0 : n)),
    fc.string({ unit: codePoint }),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(fc.string({ unit: codePoint, maxLength: 5 }), tie('value'), { maxKeys: 5 }),
  ),
}));

/** The same value with the members of every object in reverse order. */
function reversed(value: Json): Json {
  if (Array.isArray(value)) return value.map((item: Json) => reversed(item));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([key, member]) => [key, reversed(member as Json)]),
  );
}

void test('canonical JSON is read back as the same value', () => {
  fc.assert(
    fc.property(jsonValue, (value) => {
      const bytes = canonicalJson(value);
      const again = parseCanonicalJson(bytes, 'test', limit);
      assert.equal(JSON.stringify(again), fromUtf8(bytes));
      assert.deepEqual(canonicalJson(again as Json), bytes);
    }),
  );
});

void test('the order of members does not count', () => {
  fc.assert(
    fc.property(jsonValue, (value) => assert.deepEqual(canonicalJson(reversed(value)), canonicalJson(value))),
  );
});

void test('members sort by UTF-16 code units, as RFC 8785 §3.2.3 has it', () => {
  const value = { '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\u{1f600}': 5, '\u0080': 6, '\u00f6': 7 };
  assert.equal(
    fromUtf8(canonicalJson(value)),
    '{"\\r":2,"1":4,"\u0080":6,"\u00f6":7,"\u20ac":1,"\u{1f600}":5,"\ufb33":3}',
  );
});

void test('members that stand in order are written like others', () => {
  let nested: Json = 'text';
  for (let i = 0; i < 100; i++) nested = i % 2 === 0 ? [nested] : { b: nested, a: 1 };
  const inOrder = JSON.parse(fromUtf8(canonicalJson(nested))) as Json;
  assert.deepEqual(canonicalJson(inOrder), canonicalJson(nested));
  assert.throws(() => canonicalJson([inOrder]), RangeError);
  assert.equal(
    fromUtf8(canonicalJson({ a: -0, b: undefined, c: [{ d: '\n' }] })),
    '{"a":0,"c":[{"d":"\\n"}]}',
  );
});

void test('absent members are left out', () => {
  assert.equal(fromUtf8(canonicalJson({ a: undefined, b: 1 })), '{"b":1}');
});

void test('a value without a canonical form is the mistake of the caller', () => {
  let deep: Json = [];
  for (let i = 0; i < 200; i++) deep = [deep];
  for (const value of [1.5, Number.NaN, 2 ** 53, '\ud800', { '\udfff': 1 }, deep]) {
    assert.throws(() => canonicalJson(value), RangeError);
  }
});

void test('untrusted bytes in any other encoding are refused with one code', () => {
  for (const text of [
    ' {}',
    '{} ',
    '{"b":1,"a":2}',
    '{"a":1,"a":1}',
    '{"a": 1}',
    '1.0',
    '1e2',
    '-0',
    '1.5',
    '9007199254740993',
    '"\\u0061"',
    '"\\/"',
    '"\\ud800"',
    '{"__proto__":{"b":1,"a":1}}',
    '['.repeat(5000) + ']'.repeat(5000),
  ]) {
    assert.throws(
      () => parseCanonicalJson(utf8(text), 'test', limit),
      { name: 'JsonError', code: 'JSON_NOT_CANONICAL' },
      text.slice(0, 40),
    );
  }
});

void test('bytes that are no JSON, not UTF-8 or too many are refused', () => {
  for (const bytes of [
    utf8(''),
    utf8('{'),
    utf8('\uFEFF{}'),
    utf8('undefined'),
    Uint8Array.of(0x22, 0xff, 0x22),
  ]) {
    assert.throws(() => parseJson(bytes, 'test', limit), { code: 'JSON_SYNTAX' });
  }
  assert.throws(() => parseJson(utf8('[1]'), 'test', 2), { code: 'JSON_SIZE' });
});

void test('whatever the bytes, reading gives a value or an error of ours', () => {
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.json().map(utf8)), (bytes) => {
      try {
        const value = parseCanonicalJson(bytes, 'test', limit);
        assert.deepEqual(canonicalJson(value as Json), Uint8Array.from(bytes));
      } catch (error) {
        assert.equal((error as Error).name, 'JsonError');
      }
    }),
  );
});
