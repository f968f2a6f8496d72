import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '@ensconce/base/bytes';
import { cannotMount, guest } from '../../test/guest.ts';
import { judge } from '../../test/judge.ts';
import { snpSource } from './source.ts';

const skip = cannotMount;
const reportData = Uint8Array.from({ length: 64 }, (_, i) => 255 - i);
const pinned = (vmpl: number) => ({ measurement: '01'.repeat(48), hostData: '02'.repeat(32), vmpl });

void test('a guest gets a report and the certificates to verify it with', { skip }, async (t) => {
  const { root, entries } = await guest(t, 'snp');
  const evidence = await snpSource(root).makeEvidence(reportData);
  assert.equal(evidence.format, 'snp');
  const appraisal = await judge(evidence, { snp: [pinned(0)], reportData });
  assert.deepEqual(appraisal.failures, []);
  assert.equal(appraisal.decision, 'accepted');
  assert.deepEqual(entries(), []);
});

void test('without a table of the host the evidence comes without certificates', { skip }, async (t) => {
  const { root, fault } = await guest(t, 'snp');
  for (const faults of [{ auxblob: 'empty' }, { missing: ['auxblob', 'manifestblob'] }] as const) {
    fault(faults);
    const evidence = await snpSource(root).makeEvidence(reportData);
    assert.equal(evidence.certificates, undefined);
    assert.equal((await judge(evidence, { snp: [pinned(0)], reportData })).decision, 'undetermined');
  }
  fault({ auxblob: 'huge' });
  await assert.rejects(snpSource(root).makeEvidence(reportData), { code: 'TEE_SIZE' });
});

void test(
  "the report is about the guest's own privilege level, or the one asked for if the kernel allows it",
  { skip },
  async (t) => {
    const { root, fault } = await guest(t, 'snp');
    const decide = async (privilegeLevel: number | undefined, vmpl: number): Promise<string> => {
      const evidence = await snpSource(root, { privilegeLevel }).makeEvidence(reportData);
      return (await judge(evidence, { snp: [pinned(vmpl)], reportData })).decision;
    };
    assert.equal(await decide(3, 3), 'accepted');
    assert.equal(await decide(3, 0), 'not-accepted');
    fault({ privilegeLevelFloor: 2 });
    assert.equal(await decide(undefined, 2), 'accepted');
    for (const level of [0, 1, 4, 2.5]) {
      await assert.rejects(snpSource(root, { privilegeLevel: level }).makeEvidence(reportData), {
        code: 'TEE_PRIVILEGE_LEVEL',
        message: /2 to 3 expected/,
      });
    }
  },
);

void test('the manifest of a service below the guest is handed on', { skip }, async (t) => {
  const { root, fault } = await guest(t, 'snp');
  fault({ manifestblob: 'services' });
  assert.deepEqual((await snpSource(root).makeEvidence(reportData)).manifest, utf8('services'));
});

void test('reports of another size, other data and other hardware are refused', { skip }, async (t) => {
  const { root, fault, entries } = await guest(t, 'snp');
  const cases = [
    [{ outblob: 'short' }, 'TEE_FORMAT'],
    [{ outblob: 'huge' }, 'TEE_SIZE'],
    [{ outblob: 'other-data' }, 'TEE_REPORT_DATA'],
    [{ provider: 'tdx_guest' }, 'TEE_PROVIDER'],
    [{ missing: ['privlevel'] }, 'TEE_INTERFACE'],
  ] as const;
  for (const [faults, code] of cases) {
    fault(faults);
    await assert.rejects(snpSource(root).makeEvidence(reportData), { code }, JSON.stringify(faults));
  }
  fault({ foreignWrites: 1 });
  const evidence = await snpSource(root).makeEvidence(reportData);
  assert.equal((await judge(evidence, { snp: [pinned(0)], reportData })).decision, 'accepted');
  assert.deepEqual(entries(), []);
});
