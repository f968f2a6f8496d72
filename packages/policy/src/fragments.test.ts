import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import type { Json } from '@ensconce/base/json';
import { mayAccess } from './access.ts';
import { attestationPolicy } from './attestation.ts';
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
function attested(attestation: string, value: Json | undefined, pinned = true) {
  const { session } = resolve(`services: [{name: app, attestation: ${attestation}}]\n`, value, pinned);
  return attestationPolicy(session, 'app').variants;
}

void test('a fragment stands for a variant, for several, for factors and for measurements', () => {
  assert.deepEqual(
    attested('$$SCONE::f$$', { mrenclave: a.toUpperCase() }).map(({ mrenclave }) => mrenclave),
    [[a]],
  );
  assert.deepEqual(
    attested(`[$$SCONE::f$$, {mrenclave: ${b}}]`, [
      { mrenclave: [a] },
      { signer: { mrsigner: a, isvprodid: '1', isvsvn: '2' } },
    ]).map(({ mrenclave, signer: by }) => mrenclave ?? by),
    [[a], { mrsigner: a, isvprodid: 1, isvsvnMin: 2, isvsvnMax: 2 }, [b]],
  );
  assert.deepEqual(
    attested(`{mrenclave: ${b}, signer: $$SCONE::f$$}`, { mrsigner: a })[0]?.signer?.mrsigner,
    a,
  );
  assert.deepEqual(attested(`{mrenclave: [${b}, $$SCONE::f$$]}`, [a, a])[0]?.mrenclave, [b, a, a]);
  assert.deepEqual(
    attested(`{signer: {mrsigner: ${a}, isvprodid: $$SCONE::f$$}}`, '7')[0]?.signer?.isvprodid,
    7,
  );
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
    assert.deepEqual(attested('$$SCONE::f$$', value)[0]?.unresolved, ['$$SCONE::f$$'], JSON.stringify(value));
  }
  const { unresolved } = resolve('services: [{name: app, attestation: $$SCONE::f$$}]\n', undefined);
  assert.deepEqual(unresolved, ['$$SCONE::f$$: no value']);
});

void test('only a pinned fragment may loosen what evidence must show', () => {
  const service = `services: [{name: app, mrenclaves: [${a}]}]\n`;
  const settings: Json = { attestation: { mode: 'none' } };
  const policy = (rest: string, value: Json, pinned: boolean) =>
    attestationPolicy(resolve(service + rest, value, pinned).session, 'app');
  assert.equal(policy('security: $$SCONE::f$$\n', settings, true).mode, 'none');
  assert.equal(policy('security: $$SCONE::f$$\n', settings, false).mode, 'hardware');
  assert.deepEqual(policy('security: $$SCONE::f$$\n', settings, false).variants[0]?.unresolved, [
    '$$SCONE::f$$',
  ]);
  const tolerate = 'security: {attestation: {tolerate: [hyperthreading, $$SCONE::f$$]}}\n';
  assert.deepEqual([...policy(tolerate, ['debug-mode', 'outdated-tcb'], true).tolerate].sort(), [
    'debug-mode',
    'hyperthreading',
    'outdated-tcb',
  ]);
  assert.deepEqual([...policy(tolerate, ['debug-mode'], false).tolerate], ['hyperthreading']);
  const ignore = 'security: {attestation: {ignore_advisories: [INTEL-SA-00161, $$SCONE::f$$]}}\n';
  assert.deepEqual(
    policy(ignore, ['INTEL-SA-00001'], false).ignoreAdvisories,
    new Set(['INTEL-SA-00161', 'INTEL-SA-00001']),
  );
  assert.equal(policy(ignore, '*', true).ignoreAdvisories, '*');
  assert.deepEqual(policy(ignore, '*', false).ignoreAdvisories, new Set(['INTEL-SA-00161']));
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
