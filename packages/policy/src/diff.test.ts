import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sessionDiff } from './diff.ts';
import { parseSessionOrThrow } from './parse.ts';
import { wholeSession } from './test/whole-session.ts';

const [a, b] = ['aa'.repeat(32), 'bb'.repeat(32)];
const key = '3s1pm8W63s1pm8W63s1pm8W63s1pm8W63s1pm8W6';
const before = `name: s
version: "0.3"
access_policy: {read: [CREATOR], update: [CREATOR]}
services:
- {name: app, image_name: i, command: run, mrenclaves: [${a}], environment: {A: hunter2, B: x}}
- {name: old, command: run, mrenclaves: [${a}]}
images: [{name: i}]
secrets:
- {name: one, kind: ascii}
- {name: two, kind: private-key}
`;
const after = `name: s
version: "0.3"
access_policy: {read: [CREATOR, ${key}], update: [CREATOR]}
services:
- {name: app, image_name: i, command: run, mrenclaves: [${a}, ${b}], environment: {A: hunter3, C: "$$SCONE::one$$", '\\@\\@T': ''}}
images: [{name: i, injection_files: [{path: /k, content: "$$SCONE::two$$"}]}]
secrets:
- {name: one, kind: ascii, size: 30, export: {session: t}}
- {name: two, kind: private-key}
- {name: three, kind: x509-ca, private_key: two, export_public: true}
security: {attestation: {tolerate: [debug-mode]}}
ensconce: {accept_simulation: true}
`;

void test('an update in words: who may newly do what', () => {
  const changes = sessionDiff(parseSessionOrThrow(before), parseSessionOrThrow(after));
  assert.deepEqual(
    changes.map(({ widens, text }) => `${widens ? '+' : ' '} ${text}`),
    [
      `+ key ${key} may newly read the session`,
      `+ key ${key} may newly list the sessions inside it`,
      '+ simulated hardware, which protects nothing, is newly accepted',
      '+ debug-mode is newly tolerated',
      '  service old is gone',
      `+ service app: code with measurement ${b} is newly accepted`,
      '+ service app: newly gets secret one',
      '+ service app: newly gets secret two',
      '  service app: variable C is new',
      '  service app: variable B is gone',
      '  service app: variable A gets another value',
      '+ service app: the host may newly choose variable T',
      '  service app: file /k is new',
      '  secret three is new: a certificate that CAS makes, signed by itself',
      '+ anybody may newly read the public part of secret three',
      '  secret one changes: 30 random characters that CAS makes',
      '+ session t may newly import secret one',
      '  secret two gets a new value, as at every update',
    ],
  );
  assert.ok(changes.every(({ text }) => !text.includes('hunter')));
});

void test('nothing changes where nothing changes', () => {
  assert.deepEqual(
    sessionDiff(parseSessionOrThrow(wholeSession), parseSessionOrThrow(`# comment\n${wholeSession}`)).filter(
      ({ about }) => about !== 'secret',
    ),
    [],
  );
});

void test('what the ensconce map says of platforms, in words', () => {
  const of = (ensconce: string, service: string): ReturnType<typeof parseSessionOrThrow> =>
    parseSessionOrThrow(
      `name: s\nversion: "0.3"\nservices: [{name: app, command: run, mrenclaves: [${a}]${service}}]\nsecurity: {attestation: {ignore_advisories: [INTEL-SA-00001]}}\nensconce: {minimum_tcb_date: 2025-01-01${ensconce}}\n`,
    );
  const changes = sessionDiff(
    of(', minimum_evaluation_number: 17, ignore_advisories: {sgx: []}', ''),
    of(
      ', minimum_evaluation_number: 16, ignore_advisories: {tdx: "*"}',
      `, ensconce: {platforms: [${'0a'.repeat(16)}]}`,
    ),
  );
  assert.deepEqual(
    changes.map(({ widens, text }) => `${widens ? '+' : ' '} ${text}`),
    [
      '+ the earliest evaluation of Intel’s changes from 17 to 16',
      '+ INTEL-SA-00001 is newly ignored on sgx',
      '+ every advisory is newly ignored on tdx',
      '  INTEL-SA-00001 is no longer ignored on tdx',
      '+ service app: the accepted machines change',
    ],
  );
});

void test('anybody includes everybody who is named, and nobody is not somebody', () => {
  const session = (read: string) => parseSessionOrThrow(before.replace('read: [CREATOR]', `read: [${read}]`));
  const told = (from: string, to: string) =>
    sessionDiff(session(from), session(to))
      .filter(({ about, text }) => about === 'access' && text.includes('read'))
      .map(({ widens, text }) => `${widens ? '+' : ' '} ${text}`);
  assert.deepEqual(told('CREATOR', 'ANY'), ['+ anybody may newly read the session']);
  assert.deepEqual(told('ANY', 'CREATOR'), ['  only the creator may read the session now, not anybody']);
  assert.deepEqual(told('ANY', 'NONE'), ['  nobody may read the session any more']);
  assert.deepEqual(told('NONE', 'CREATOR'), ['+ the creator may newly read the session']);
  assert.deepEqual(told('CREATOR', 'NONE'), ['  the creator may no longer read the session']);
});
