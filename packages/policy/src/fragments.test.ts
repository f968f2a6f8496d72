import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import type { Json } from '@ensconce/base/json';
import { mayAccess } from './access.ts';
import { servicePolicy } from './attestation.ts';
import { resolveFragments } from './fragments.ts';
import { keyHashOfPublicKey } from './key-hash.ts';
import { parseSessionOrThrow } from './parse.ts';

const [a, b] = ['aa'.repeat(32), 'bb'.repeat(32)];
const pem = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' });
const signer = keyHashOfPublicKey(pem);

function resolve(rest: string, value: Json | undefined, pinned = true) {
  const session = parseSessionOrThrow(
    `name: s\nversion: "0.3.12"\nsecrets: [{name: f, import: {session: t, secret: f}}]\n${rest}`,
  );
  return resolveFragments(session, () => (value === undefined ? undefined : { value, pinned }));
}
const exchange = { reportData: 'not-checked', casIdentity: undefined } as const;
function attested(attestation: string, value: Json | undefined, pinned = true) {
  const { session } = resolve(`services: [{name: app, attestation: ${attestation}}]\n`, value, pinned);
  return servicePolicy(session, 'app', exchange).appraisal.sgx;
}
const any = { minimum: 0, maximum: 65_535 };
const only = (value: number) => ({ minimum: value, maximum: value });

void test('a fragment stands for a variant, for several, for factors and for measurements', () => {
  assert.deepEqual(attested('$$SCONE::f$$', { mrenclave: a.toUpperCase() }), [{ mrenclave: a }]);
  assert.deepEqual(
    attested(`[$$SCONE::f$$, {mrenclave: ${b}}]`, [
      { mrenclave: [a] },
      { signer: { mrsigner: a, isvprodid: '1', isvsvn: '2' } },
    ]),
    [{ mrenclave: a }, { mrsigner: a, isvprodid: only(1), isvsvn: only(2) }, { mrenclave: b }],
  );
  assert.deepEqual(attested(`{mrenclave: ${b}, signer: $$SCONE::f$$}`, { mrsigner: a }), [
    { mrenclave: b, mrsigner: a, isvprodid: any, isvsvn: any },
  ]);
  assert.deepEqual(attested(`{mrenclave: [${b}, $$SCONE::f$$]}`, [a, a]), [
    { mrenclave: b },
    { mrenclave: a },
    { mrenclave: a },
  ]);
  assert.deepEqual(attested(`{signer: {mrsigner: ${a}, isvprodid: $$SCONE::f$$}}`, '7'), [
    { mrsigner: a, isvprodid: only(7), isvsvn: any },
  ]);
});

void test('what is missing, empty, of another form or refers further is satisfied by nothing', () => {
  for (const value of [
    undefined,
    null,
    [],
    {},
    'x',
    [{}],
    { mrenclave: [] },
    { mrenclave: '$$SCONE::g$$' },
    { other: a },
  ]) {
    assert.deepEqual(attested('$$SCONE::f$$', value), [], JSON.stringify(value));
  }
  const { unresolved } = resolve('services: [{name: app, attestation: $$SCONE::f$$}]\n', undefined);
  assert.deepEqual(unresolved, ['$$SCONE::f$$: no value']);
});

void test('only a pinned fragment may loosen what evidence must show', () => {
  const service = `services: [{name: app, mrenclaves: [${a}]}]\n`;
  const settings: Json = { attestation: { mode: 'none' } };
  const policy = (rest: string, value: Json, pinned: boolean) =>
    servicePolicy(resolve(service + rest, value, pinned).session, 'app', exchange);
  assert.equal(policy('security: $$SCONE::f$$\n', settings, true).mode, 'none');
  assert.equal(policy('security: $$SCONE::f$$\n', settings, false).mode, 'hardware');
  assert.deepEqual(policy('security: $$SCONE::f$$\n', settings, false).appraisal.sgx, []);
  const tolerate = 'security: {attestation: {tolerate: [hyperthreading, $$SCONE::f$$]}}\n';
  assert.deepEqual([...policy(tolerate, ['debug-mode', 'outdated-tcb'], true).appraisal.tolerate].sort(), [
    'debug-mode',
    'hyperthreading',
    'outdated-tcb',
  ]);
  assert.deepEqual(policy(tolerate, ['debug-mode'], false).appraisal.tolerate, ['hyperthreading']);
  const ignore = 'security: {attestation: {ignore_advisories: [INTEL-SA-00161, $$SCONE::f$$]}}\n';
  const ignored = (value: Json, pinned: boolean) =>
    (policy(ignore, value, pinned).appraisal.ignoreAdvisories as Record<string, unknown>)['sgx'];
  assert.deepEqual(ignored(['INTEL-SA-00001'], false), ['INTEL-SA-00001', 'INTEL-SA-00161']);
  assert.equal(ignored('*', true), '*');
  assert.deepEqual(ignored('*', false), ['INTEL-SA-00161']);
  const tdx = 'ensconce: {ignore_advisories: {tdx: [$$SCONE::f$$]}}\n';
  const tee = policy(tdx, ['INTEL-SA-00001'], true).appraisal.ignoreAdvisories as Record<string, unknown>;
  assert.deepEqual([tee['sgx'], tee['tdx']], [[], ['INTEL-SA-00001']]);
});

void test('a fragment names machines', () => {
  const service = (key: string) =>
    `services: [{name: app, mrenclaves: [${a}], ensconce: {platforms: [${'01'.repeat(16)}, ${key}]}}]\n`;
  const of = (value: Json) =>
    servicePolicy(resolve(service('$$SCONE::f$$'), value).session, 'app', exchange).appraisal.platforms;
  assert.deepEqual(of(['02'.repeat(16), '03'.repeat(64)]), [
    '01'.repeat(16),
    '02'.repeat(16),
    '03'.repeat(64),
  ]);
  assert.deepEqual(of('no id'), ['01'.repeat(16)]);
});

void test('fragments name who may read and update; ANY only where it is pinned', () => {
  const update = (rule: string, value: Json, pinned = true) =>
    resolve(`access_policy: {update: ${rule}}\n`, value, pinned).session.accessPolicy.update;
  assert.equal(
    mayAccess(update('[CREATOR, $$SCONE::f$$]', signer), { keyHash: signer }, undefined).allowed,
    true,
  );
  assert.equal(
    mayAccess(update('[{signer: $$SCONE::f$$}]', pem), { signers: [signer] }, undefined).allowed,
    true,
  );
  assert.equal(mayAccess(update('[$$SCONE::f$$]', 'ANY', false), {}, undefined).allowed, false);
  assert.equal(mayAccess(update('[$$SCONE::f$$]', 'ANY', true), {}, undefined).allowed, true);
  assert.equal(mayAccess(update('[CREATOR, $$SCONE::f$$]', ['ANY'], true), {}, undefined).allowed, false);
  assert.equal(
    mayAccess(update('[{require-all: [$$SCONE::f$$, CREATOR]}]', 'ANY', true), {}, undefined).allowed,
    false,
  );
  assert.equal(mayAccess(update('[{require-all: [$$SCONE::f$$]}]', [], true), {}, undefined).allowed, false);
  const whole = resolve('access_policy: $$SCONE::f$$\n', { read: ['ANY'], update: ['NONE'] }).session
    .accessPolicy;
  assert.deepEqual([whole.read, whole.update], [[{ kind: 'any' }], [{ kind: 'none' }]]);
});

void test('one key twice, once by fragment, counts once', () => {
  const rule = resolve(
    `access_policy: {update: [{require-at-least-2: [{signer: ${JSON.stringify(pem)}}, {signer: $$SCONE::f$$}]}]}\n`,
    pem,
  ).session.accessPolicy.update;
  assert.equal(mayAccess(rule, { signers: [signer] }, undefined).allowed, false);
});
