import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cannotMount, guest } from '../../test/guest.ts';
import { judge } from '../../test/judge.ts';
import { sgxSource } from './source.ts';

const skip = cannotMount;
const reportData = Uint8Array.from({ length: 64 }, (_, i) => i ^ 0x5c);
const policy = { sgx: [{ mrenclave: 'aa'.repeat(32) }], reportData };

void test('an enclave under Gramine gets a quote over its report data', { skip }, async (t) => {
  const source = sgxSource((await guest(t, 'sgx')).root);
  assert.equal('extend' in source, false);
  const other = new Uint8Array(64).fill(1);
  const [evidence] = await Promise.all([source.makeEvidence(reportData), source.makeEvidence(other)]);
  const appraisal = await judge(evidence, policy);
  assert.deepEqual(appraisal.failures, []);
  assert.equal(appraisal.decision, 'accepted');
});

void test('attestation of another kind, and quotes that are none, are refused', { skip }, async (t) => {
  const { root, fault } = await guest(t, 'sgx');
  const cases = [
    [{ attestationType: 'none' }, 'TEE_PROVIDER'],
    [{ attestationType: 'epid' }, 'TEE_PROVIDER'],
    [{ outblob: 'short' }, 'TEE_FORMAT'],
    [{ outblob: 'huge' }, 'TEE_SIZE'],
    [{ outblob: 'other-data' }, 'TEE_REPORT_DATA'],
  ] as const;
  for (const [faults, code] of cases) {
    fault(faults);
    await assert.rejects(sgxSource(root).makeEvidence(reportData), { code }, JSON.stringify(faults));
  }
  await assert.rejects(sgxSource('/nowhere').makeEvidence(reportData), {
    code: 'TEE_INTERFACE',
    message: /attestation_type.*ENOENT/,
  });
});
