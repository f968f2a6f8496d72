import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { parse, type ScalarTag } from 'yaml';
import { parseSession } from './parse.ts';
import { sessionSchema } from './schema.ts';
import { refusedSessions } from './test/refused-sessions.ts';
import { wholeSession } from './test/whole-session.ts';

const published = join(import.meta.dirname, '..', '..', '..', 'docs', 'reference', 'session.schema.json');
const validate = new Ajv2020({
  strict: true,
  strictRequired: false,
  strictTypes: false,
  allErrors: true,
}).compile(sessionSchema());
/** What editors do with tags that they do not know: nothing. */
const customTags = ['!cas'].map((tag): ScalarTag => ({ tag, resolve: (text) => text }));

/** Refused by rules that JSON Schema cannot say: between keys, across the session, or of YAML itself. */
const beyondSchema = new Set([
  'a duplicate key',
  'predecessor and namespace_hash',
  'a service twice',
  'a service without attestation',
  'a TCB date that is none',
  'attestation and mrenclaves',
  'isvsvn and isvsvn_min',
  'isvsvn_min above isvsvn_max',
  'an open quote in a command',
  'an empty command',
  '@@N twice',
  'a variable of policy and host',
  'an unknown image',
  'an unknown volume',
  'a durability of a volume whose states CAS is not told',
  'an unknown secret',
  'an unknown format',
  'a broken reference',
  'a reference put together by quotes',
  'a reference inside a measurement',
  'a variable with NUL',
  'the host’s devices',
  'import and import_akv',
  'a vault without a token of this session',
  'x509 without a key',
  'issuers in a circle',
  'ANY beside another',
  'a signer in read',
  'governance in read',
  'more than there are keys',
  'more than there are keys in nested rules',
  'ANY in governance',
  'a certificate that is none',
  'maa without url',
  'permission as people write it',
  'a path twice',
  'a volume import from another CAS',
  'half an fspf',
  'a session above the root',
  'a tag that means nothing',
]);

void test('the published schema is the one that the parser has', () => {
  assert.deepEqual(
    JSON.parse(readFileSync(published, 'utf8')),
    JSON.parse(JSON.stringify(sessionSchema())),
    'run node tools/generate-session-schema.ts',
  );
});

void test('the schema accepts what the parser accepts', () => {
  for (const text of [
    wholeSession,
    'name: s\n',
    'name: s\npredecessor: ~\nservices:\nsecurity: {attestation: {url: }}\n',
  ]) {
    assert.ok(parseSession(text).session, JSON.stringify(parseSession(text).problems));
    assert.ok(
      validate(parse(text, { customTags, logLevel: 'silent' })),
      JSON.stringify(validate.errors, undefined, 1),
    );
  }
});

void test('the schema refuses what the parser refuses, but for the rules that it cannot say', () => {
  for (const [name, text] of refusedSessions) {
    if (
      ['an alias without an anchor', 'an alias to its own parent', 'two documents', 'broken YAML'].includes(
        name,
      )
    )
      continue;
    let value: unknown;
    try {
      value = parse(text, { customTags, logLevel: 'silent', uniqueKeys: false });
    } catch (error) {
      assert.fail(`${name}: ${String(error)}`);
    }
    assert.equal(validate(value), beyondSchema.has(name), name);
  }
});
