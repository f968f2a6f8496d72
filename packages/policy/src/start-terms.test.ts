import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PolicyError } from './errors.ts';
import { parseSessionOrThrow } from './parse.ts';
import { restoreTerms, termsOf } from './start-terms.ts';

const a = 'aa'.repeat(32);
const session = parseSessionOrThrow(`name: s
version: "0.3"
services:
- {name: app, image_name: image, mrenclaves: [${a}], command: /bin/app $$SCONE::secret$$, environment: {X: $$SCONE::secret$$}}
- {name: other, mrenclaves: [${'bb'.repeat(32)}]}
images:
- {name: image, injection_files: [{path: /f, content: $$SCONE::secret$$}]}
secrets: [{name: secret, kind: ascii, value: kept}]
security: {attestation: {tolerate: [outdated-tcb]}}
`);

void test('the terms of a service are what judges it, and neither its secrets nor other services', () => {
  const terms = termsOf(session, 'app');
  assert.deepEqual(
    terms.services.map(({ name }) => name),
    ['app'],
  );
  assert.deepEqual(terms.security, session.security);
  assert.equal(JSON.stringify(terms).includes('SCONE'), false);
  assert.throws(() => termsOf(session, 'absent'), PolicyError);
});

void test('terms that are no object are refused', () => {
  for (const value of [undefined, null, [], 'app']) assert.throws(() => restoreTerms(value), PolicyError);
});
