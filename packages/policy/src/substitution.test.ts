import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { fromUtf8, utf8 } from '@ensconce/base/bytes';
import { PolicyError } from './errors.ts';
import {
  references,
  substituteCommand,
  substituteSecrets,
  substituteSecretsBytes,
  type Lookup,
} from './substitution.ts';

const values: Record<string, Uint8Array> = {
  a: utf8('A'),
  quote: utf8('say "hi"\n'),
  nested: utf8('$$SCONE::a$$'),
  half: utf8('$$SCONE::'),
  raw: Uint8Array.of(0xff, 0),
  host: utf8('@@1'),
};
const lookup: Lookup = ({ name }) => values[name];

function code(expected: string) {
  return (error: unknown) => error instanceof PolicyError && error.code === expected;
}

void test('references are found with name, format and escape', () => {
  assert.deepEqual(references('x$$SCONE::a:hex$$$$SCONE::b.crt$$|$$SCONE::c:crt:der|escape(json)$$'), [
    { name: 'a', format: 'hex' },
    { name: 'b.crt', format: '' },
    { name: 'c', format: 'crt:der', escape: 'json' },
  ]);
  assert.deepEqual(references('$$ $5 $$OTHER::x$$'), []);
});

void test('secrets are put in once: their own values are never expanded', () => {
  assert.equal(substituteSecrets('<$$SCONE::a$$$$SCONE::nested$$>', lookup), '<A$$SCONE::a$$>');
  assert.equal(substituteSecrets('$$SCONE::half$$a$$', lookup), '$$SCONE::a$$');
  assert.equal(substituteSecrets('{"x":"$$SCONE::quote|escape(json)$$"}', lookup), '{"x":"say \\"hi\\"\\n"}');
});

void test('bytes go into files as they are, and not into text', () => {
  assert.deepEqual([...substituteSecretsBytes('k=$$SCONE::raw$$', lookup)], [0x6b, 0x3d, 0xff, 0]);
  assert.throws(() => substituteSecrets('$$SCONE::raw$$', lookup), code('POLICY_VALUE'));
});

void test('an unknown secret and a broken reference are errors', () => {
  assert.throws(() => substituteSecrets('$$SCONE::zzz$$', lookup), code('POLICY_UNKNOWN_SECRET'));
  for (const broken of [
    '$$SCONE::a',
    '$$SCONE::$$',
    '$$SCONE::a b$$',
    '$$SCONE::a|escape(xml)$$',
    '$$SCONE::a:HEX$$',
  ]) {
    assert.throws(() => substituteSecrets(broken, lookup), code('POLICY_REFERENCE'), broken);
  }
});

void test('a secret stays inside its argument and cannot bring in a host argument', () => {
  assert.deepEqual(substituteCommand(['run', '$$SCONE::quote$$', '@@1'], lookup), [
    'run',
    'say "hi"\n',
    '@@1',
  ]);
  assert.throws(() => substituteCommand(['run', '$$SCONE::host$$'], lookup), code('POLICY_VALUE'));
});

void test('property: text around references is untouched, whatever the values', () => {
  const text = fc.string({ unit: 'grapheme' }).filter((part) => !part.includes('$'));
  fc.assert(
    fc.property(text, fc.string({ unit: 'grapheme' }), text, (before, value, after) => {
      const result = fromUtf8(substituteSecretsBytes(`${before}$$SCONE::x$$${after}`, () => utf8(value)));
      assert.equal(result, before + value.toWellFormed() + after);
    }),
  );
});
