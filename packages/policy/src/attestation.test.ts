import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { guestConfigId, guestHostData, imageRegister } from '@ensconce/measurement/guest';
import { servicePolicy, type Exchange, type ServicePolicy } from './attestation.ts';
import { PolicyError } from './errors.ts';
import { parseSessionOrThrow } from './parse.ts';
import { restoreTerms, termsOf } from './start-terms.ts';

const a = 'aa'.repeat(32);
const b = 'bb'.repeat(32);
const casIdentity = 'ca'.repeat(32);
const exchange: Exchange = { reportData: 'not-checked', casIdentity };

function policyOf(rest: string, more: Partial<Exchange> = {}): ServicePolicy {
  const session = parseSessionOrThrow(`name: s\nversion: "0.3"\n${rest}`);
  const policy = servicePolicy(session, 'app', { ...exchange, ...more });
  const kept = restoreTerms(JSON.parse(JSON.stringify(termsOf(session, 'app'))));
  assert.deepEqual(
    servicePolicy(kept, 'app', { ...exchange, ...more }),
    policy,
    'its terms alone judge alike',
  );
  return policy;
}

const any = { minimum: 0, maximum: 65_535 };
const app = `services: [{name: app, mrenclaves: [${a}]}]\n`;

void test('a map is AND, a list is OR', () => {
  const policy = policyOf(
    `services:\n- name: app\n  attestation:\n  - {mrenclave: [${a}, ${b}], signer: {mrsigner: ${b}, isvprodid: 1, isvsvn: 2}}\n  - {mrenclave: ${b}}\n  - {signer: {mrsigner: ${a}, isvsvn_min: 3}}\nsecurity: {attestation: {tolerate: [outdated-tcb], ignore_advisories: [intel-sa-00161]}}\n`,
  );
  const signer = {
    mrsigner: b,
    isvprodid: { minimum: 1, maximum: 1 },
    isvsvn: { minimum: 2, maximum: 2 },
  };
  assert.deepEqual(policy.appraisal.sgx, [
    { mrenclave: a, ...signer },
    { mrenclave: b, ...signer },
    { mrenclave: b },
    { mrsigner: a, isvprodid: any, isvsvn: { minimum: 3, maximum: 65_535 } },
  ]);
  assert.deepEqual(policy.appraisal.tolerate, ['outdated-tcb']);
  const advisories = ['INTEL-SA-00161'];
  assert.deepEqual(policy.appraisal.ignoreAdvisories, {
    sgx: advisories,
    tdx: advisories,
    snp: advisories,
    nitro: advisories,
  });
  assert.equal(policy.mode, 'hardware');
  assert.equal(policy.appraisal.acceptSimulation, false);
  assert.equal(policy.appraisal.platforms, undefined);
});

void test('a service that names no guest is run by none, and none of another TEE', () => {
  const { tdx, snp, nitro } = policyOf(app).appraisal;
  assert.deepEqual([tdx, snp, nitro], [[], [], undefined]);
});

void test('the older list of an image restricts its services, guests as well', () => {
  const guest = `{measurement: ${'01'.repeat(48)}, vmpl: 0, image: [${a}, ${b}]}`;
  const { sgx, snp } = policyOf(
    `services:\n- {name: app, image_name: i, mrenclaves: [${a}, ${b}], ensconce: {snp: ${guest}}}\nimages:\n- {name: i, mrenclaves: [${b}]}\n`,
  ).appraisal;
  assert.deepEqual(sgx, [{ mrenclave: b }]);
  assert.ok(Array.isArray(snp) && snp.length === 1);
  const alone = policyOf(`services: [{name: app, image_name: i}]\nimages: [{name: i, mrenclaves: [${a}]}]\n`);
  assert.deepEqual(alone.appraisal.sgx, [{ mrenclave: a }]);
});

void test('what is no measurement is accepted by nothing', () => {
  assert.deepEqual(policyOf('services: [{name: app, mrenclaves: [mrEnclave1]}]\n').appraisal.sgx, []);
});

void test('guests are pinned whole, each to what it must have been launched for', () => {
  const wide = (byte: string): string => byte.repeat(48);
  const pins = `mrtd: ${wide('01')}, rtmr0: ${wide('02')}, rtmr1: ${wide('03')}, rtmr2: ${wide('04')}`;
  const rest = `services:\n- {name: app, ensconce: {tdx: {${pins}, image: [${a}, ${b}]}, snp: {measurement: ${wide('05')}, vmpl: 1, image: ${b}}}}\n`;
  const purpose = { casIdentity, configId: 's/app', measurement: b };
  const { tdx, snp } = policyOf(rest, { measurement: b }).appraisal;
  assert.deepEqual(tdx, [
    {
      mrtd: wide('01'),
      rtmr0: wide('02'),
      rtmr1: wide('03'),
      rtmr2: wide('04'),
      rtmr3: imageRegister(b),
      mrconfigid: guestConfigId(purpose),
    },
  ]);
  assert.deepEqual(snp, [
    {
      measurement: wide('05'),
      vmpl: 1,
      hostData: guestHostData(purpose),
      requireRevocationList: true,
    },
  ]);
  assert.equal(policyOf(rest).appraisal.tdx?.length, 2, 'each image, where none is known yet');
  assert.deepEqual(policyOf(rest, { casIdentity: undefined }).appraisal.tdx, [], 'for no CAS, no guest');
});

void test('references make a variant that nothing satisfies, never one that asks for less', () => {
  const secrets = 'secrets:\n- {name: f, import: {session: t, secret: f}}\n';
  const of = (service: string, more = ''): ServicePolicy =>
    policyOf(`services:\n- {name: app, ${service}}\n${more}${secrets}`);
  for (const policy of [
    of('attestation: {mrenclave: "$$SCONE::f$$"}'),
    of(`attestation: {mrenclave: ${a}, signer: "$$SCONE::f$$"}`),
    of(`attestation: {signer: {mrsigner: ${a}, isvprodid: "$$SCONE::f$$"}}`),
    of(`attestation: {signer: {mrsigner: ${a}, isvsvn_min: "$$SCONE::f$$"}}`),
    of(`attestation: {signer: {mrsigner: "$$SCONE::f$$"}}`),
    of(`attestation: "$$SCONE::f$$"`),
    of(`mrenclaves: [${a}]`, 'security: $$SCONE::f$$\n'),
    of(`mrenclaves: [${a}]`, 'security: {attestation: $$SCONE::f$$}\n'),
  ]) {
    assert.deepEqual(policy.appraisal.sgx, []);
    assert.deepEqual(policy.unresolved, ['$$SCONE::f$$']);
  }
  const platform = of(
    `mrenclaves: [${a}], platforms: ["$$SCONE::f$$"], ensconce: {platforms: ["$$SCONE::f$$"]}`,
  );
  assert.deepEqual([platform.appraisal.platforms, platform.appraisal.quotingEnclaves], [[], []]);
  const loose = of(
    `mrenclaves: [${a}]`,
    'security: {attestation: {tolerate: [$$SCONE::f$$], ignore_advisories: [$$SCONE::f$$]}}\n',
  );
  assert.deepEqual(loose.appraisal.tolerate, []);
  assert.deepEqual((loose.appraisal.ignoreAdvisories as Record<string, unknown>)['sgx'], []);
});

void test('machines are pinned by what the vendor certifies, quoting enclaves by their id', () => {
  const id = 'AB'.repeat(16);
  const { appraisal } = policyOf(
    `services: [{name: app, mrenclaves: [${a}], platforms: ["INTEL_QE_ID:${id}", ${b}], ensconce: {platforms: [${id}]}}]\n`,
  );
  assert.deepEqual(appraisal.quotingEnclaves, [id.toLowerCase()]);
  assert.deepEqual(appraisal.platforms, [id.toLowerCase()]);
});

void test('must_be_sgx_local: an enclave on the machine of CAS, and on none where CAS knows no machine', () => {
  const [own, other] = ['0a'.repeat(16), '0b'.repeat(16)];
  const rest = (platforms: string): string =>
    `services:\n- {name: app, mrenclaves: [${a}], ensconce: {platforms: [${platforms}], snp: {measurement: ${'05'.repeat(48)}, vmpl: 1, image: ${b}}}}\nsecurity: {attestation: {must_be_sgx_local: true}}\n`;
  const local = policyOf(rest(`${own}, ${other}`), { ownPlatforms: [own] });
  assert.equal(local.mustBeSgxLocal, true);
  assert.deepEqual([local.appraisal.platforms, local.appraisal.snp], [[own], []]);
  assert.deepEqual(policyOf(rest(other), { ownPlatforms: [own] }).appraisal.platforms, []);
  assert.deepEqual(policyOf(rest(own)).appraisal.platforms, []);
});

void test('what the ensconce map says of the platform', () => {
  const { appraisal } = policyOf(
    `${app}security: {attestation: {ignore_advisories: [INTEL-SA-00001]}}\nensconce: {minimum_tcb_date: 2025-01-31, advisory_grace_days: 2, minimum_evaluation_number: 17, ignore_advisories: {tdx: "*"}}\n`,
  );
  assert.deepEqual(appraisal.minimumTcbDate, new Date('2025-01-31T00:00:00Z'));
  assert.equal(appraisal.gracePeriod, 172_800_000);
  assert.equal(appraisal.minimumEvaluationNumber, 17);
  const list = ['INTEL-SA-00001'];
  assert.deepEqual(appraisal.ignoreAdvisories, { sgx: list, tdx: '*', snp: list, nitro: list });
});

void test('mode maa leaves the TCB to the provider only where maa-managed-tcb is tolerated, and debug never', () => {
  const of = (tolerate: string): ServicePolicy =>
    policyOf(
      `${app}security: {attestation: {mode: maa, url: "https://m.example", certificates: [x], tolerate: [${tolerate}]}}\n`,
    );
  assert.deepEqual(of('').appraisal.tolerate, []);
  const managed = of('maa-managed-tcb').appraisal;
  assert.ok(managed.tolerate.includes('outdated-tcb') && !managed.tolerate.includes('debug-mode'));
  assert.equal(managed.ignoreAdvisories, '*');
  assert.deepEqual(of('').maa, {
    url: 'https://m.example',
    certificates: ['x'],
    minRsaSigningKeySize: undefined,
  });
});

void test('an unknown service is refused', () => {
  assert.throws(
    () => policyOf(''),
    (error) => error instanceof PolicyError && error.code === 'POLICY_UNKNOWN_SERVICE',
  );
});

void test('property: a reference in any place of a variant never lets code in that the variant alone would not', () => {
  const reference = '"$$SCONE::f$$"';
  const either = (value: string): fc.Arbitrary<string> => fc.constantFrom(value, reference);
  const signer = fc.record({ mrsigner: either(b), isvprodid: either('1'), isvsvn: either('2') }).map(
    (parts) =>
      `{${Object.entries(parts)
        .map(([key, value]) => `${key}: ${value}`)
        .join(', ')}}`,
  );
  const variant = fc.oneof(
    fc.constant(reference),
    fc
      .record({ mrenclave: either(`[${a}]`), signer: fc.oneof(signer, fc.constant(reference)) })
      .map((parts) => `{mrenclave: ${parts.mrenclave}, signer: ${parts.signer}}`),
    signer.map((by) => `{signer: ${by}}`),
  );
  fc.assert(
    fc.property(fc.array(variant, { minLength: 1, maxLength: 4 }), (variants) => {
      const { sgx } = policyOf(
        `services:\n- {name: app, attestation: [${variants.join(', ')}]}\nsecrets: [{name: f, import: {session: t, secret: f}}]\n`,
      ).appraisal;
      const whole = variants.filter((text) => !text.includes('$$SCONE::')).length;
      assert.ok(Array.isArray(sgx));
      assert.equal(sgx.length, whole);
    }),
    { numRuns: 100 },
  );
});
