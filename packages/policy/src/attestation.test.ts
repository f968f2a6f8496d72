import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attestationPolicy } from './attestation.ts';
import { PolicyError } from './errors.ts';
import { parseSessionOrThrow } from './parse.ts';

const a = 'aa'.repeat(32);
const b = 'bb'.repeat(32);
function policyOf(rest: string) {
  return attestationPolicy(parseSessionOrThrow(`name: s\nversion: "0.3"\n${rest}`), 'app');
}

void test('a map is AND, a list is OR', () => {
  const policy = policyOf(
    `services:\n- name: app\n  attestation:\n  - {mrenclave: [${a}, ${b}], signer: {mrsigner: ${b}, isvprodid: 1, isvsvn: 2}}\n  - {mrenclave: ${b}}\nsecurity: {attestation: {tolerate: [outdated-tcb], ignore_advisories: [intel-sa-00161]}}\n`,
  );
  assert.deepEqual(policy.variants, [
    {
      mrenclave: [a, b],
      signer: { mrsigner: b, isvprodid: 1, isvsvnMin: 2, isvsvnMax: 2 },
      unresolved: undefined,
    },
    { mrenclave: [b], signer: undefined, unresolved: undefined },
  ]);
  assert.deepEqual([...policy.tolerate], ['outdated-tcb']);
  assert.deepEqual(policy.ignoreAdvisories, new Set(['INTEL-SA-00161']));
  assert.equal(policy.mode, 'hardware');
  assert.equal(policy.acceptSimulation, false);
});

void test('the older list of an image restricts its services', () => {
  const policy = policyOf(
    `services:\n- {name: app, image_name: i, mrenclaves: [${a}, ${b}]}\nimages:\n- {name: i, mrenclaves: [${b}]}\n`,
  );
  assert.deepEqual(policy.variants[0]?.mrenclave, [b]);
});

void test('references make a variant that nothing satisfies, never one that asks for less', () => {
  const secrets = 'secrets:\n- {name: f, import: {session: t, secret: f}}\n';
  const single = policyOf(`services:\n- {name: app, attestation: {mrenclave: "$$SCONE::f$$"}}\n${secrets}`);
  assert.deepEqual(single.variants, [{ mrenclave: [], signer: undefined, unresolved: ['$$SCONE::f$$'] }]);
  const signer = policyOf(
    `services:\n- {name: app, attestation: {signer: {mrsigner: ${a}, isvprodid: "$$SCONE::f$$"}}}\n${secrets}`,
  );
  assert.deepEqual(signer.variants[0]?.unresolved, ['$$SCONE::f$$']);
  const whole = policyOf(`services:\n- {name: app, mrenclaves: [${a}]}\nsecurity: $$SCONE::f$$\n${secrets}`);
  assert.deepEqual(whole.variants[0]?.unresolved, ['$$SCONE::f$$']);
});

void test('an unknown service is refused', () => {
  assert.throws(
    () => policyOf(''),
    (error) => error instanceof PolicyError && error.code === 'POLICY_UNKNOWN_SERVICE',
  );
});
