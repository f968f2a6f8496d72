import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { hintOf } from '@ensconce/base/errors';
import { errno } from '@ensconce/fuse/errno';
import { cannotMount, guest } from '../../test/guest.ts';
import { judge } from '../../test/judge.ts';
import { tdxSource } from './source.ts';

const skip = cannotMount;
const reportData = Uint8Array.from({ length: 64 }, (_, i) => i);
const sha384 = (...parts: Uint8Array[]): string =>
  createHash('sha384').update(Buffer.concat(parts)).digest('hex');

const pinned = (rtmr3: string) => ({
  mrtd: '0d'.repeat(48),
  rtmr0: '10'.repeat(48),
  rtmr1: '11'.repeat(48),
  rtmr2: '12'.repeat(48),
  rtmr3,
});
const untouched = '00'.repeat(48);

void test(
  'a TD gets a quote over its report data that a policy which pins the guest accepts',
  { skip },
  async (t) => {
    const { root, entries } = await guest(t, 'tdx');
    const evidence = await tdxSource(root).makeEvidence(reportData);
    assert.equal(evidence.format, 'tdx');
    assert.equal(evidence.certificates, undefined);
    const appraisal = await judge(evidence, { tdx: [pinned(untouched)], reportData });
    assert.deepEqual(appraisal.failures, []);
    assert.equal(appraisal.decision, 'accepted');
    assert.equal(appraisal.verdict.simulated, true);
    assert.deepEqual(entries(), []);
    const other = await judge(evidence, { tdx: [pinned(untouched)], reportData: reportData.toReversed() });
    assert.equal(other.decision, 'not-accepted');
  },
);

void test('what RTMR3 was extended with stands in the next quote', { skip }, async (t) => {
  const source = tdxSource((await guest(t, 'tdx')).root);
  const first = new Uint8Array(48).fill(1);
  const second = new Uint8Array(48).fill(2);
  await source.extend?.(first);
  await source.extend?.(second);
  const once = sha384(new Uint8Array(48), first);
  const twice = sha384(Buffer.from(once, 'hex'), second);
  const evidence = await source.makeEvidence(reportData);
  assert.equal((await judge(evidence, { tdx: [pinned(twice)], reportData })).decision, 'accepted');
  assert.equal((await judge(evidence, { tdx: [pinned(once)], reportData })).decision, 'not-accepted');
});

void test('a register that does not hold the extension afterwards is told', { skip }, async (t) => {
  const { root, fault } = await guest(t, 'tdx');
  const source = tdxSource(root);
  for (const registers of ['stuck', 'shared'] as const) {
    fault({ registers });
    await assert.rejects(async () => source.extend?.(new Uint8Array(48)), { code: 'TEE_REGISTER' });
  }
  await assert.rejects(async () => source.extend?.(new Uint8Array(32)), RangeError);
});

void test('a kernel without measurement files is told with what it needs', { skip }, async (t) => {
  const { root } = await guest(t, 'snp');
  await assert.rejects(
    async () => tdxSource(root).extend?.(new Uint8Array(48)),
    (error: Error) => {
      assert.match(error.message, /rtmr3:sha384: a measurement register expected, ENOENT found/);
      assert.match(hintOf(error) ?? '', /Linux 6\.16/);
      return true;
    },
  );
});

void test('a busy, interrupted or late quote is asked for again, and not for ever', { skip }, async (t) => {
  const { root, fault, entries } = await guest(t, 'tdx');
  const source = tdxSource(root);
  const timedOut = 110;
  fault({ outblobErrors: [errno.EBUSY, errno.EINTR, timedOut] });
  const evidence = await source.makeEvidence(reportData);
  assert.equal((await judge(evidence, { tdx: [pinned(untouched)], reportData })).decision, 'accepted');
  fault({ outblobErrors: Array.from({ length: 5 }, () => errno.EBUSY) });
  await assert.rejects(source.makeEvidence(reportData), { code: 'TEE_BUSY' });
  assert.deepEqual(entries(), []);
});

void test('a report that somebody else wrote to is made anew, and not for ever', { skip }, async (t) => {
  const { root, fault, entries } = await guest(t, 'tdx');
  const source = tdxSource(root);
  fault({ foreignWrites: 2 });
  const evidence = await source.makeEvidence(reportData);
  assert.equal((await judge(evidence, { tdx: [pinned(untouched)], reportData })).decision, 'accepted');
  fault({ foreignWrites: 100 });
  await assert.rejects(source.makeEvidence(reportData), { code: 'TEE_CONFLICT' });
  assert.deepEqual(entries(), []);
});

void test('requests at the same time get each its own quote', { skip }, async (t) => {
  const { root, fault, entries } = await guest(t, 'tdx');
  fault({ outblobErrors: [errno.EBUSY, errno.EBUSY, errno.EBUSY] });
  const asked = Array.from({ length: 4 }, (_, i) => new Uint8Array(64).fill(i));
  const source = tdxSource(root);
  const made = await Promise.all(asked.map((data) => source.makeEvidence(data)));
  for (const [i, evidence] of made.entries()) {
    const reportData = asked[i] as Uint8Array;
    assert.equal((await judge(evidence, { tdx: [pinned(untouched)], reportData })).decision, 'accepted');
  }
  assert.deepEqual(entries(), []);
});

void test("entries that dead processes left are in nobody's way", { skip }, async (t) => {
  const { root, entries } = await guest(t, 'tdx');
  mkdirSync(join(root, 'sys/kernel/config/tsm/report', `ensconce-${process.pid}-0000000000000000`));
  await tdxSource(root).makeEvidence(reportData);
  assert.deepEqual(entries(), [`ensconce-${process.pid}-0000000000000000`]);
});

void test(
  'each thing that is wrong with the interface has its error, and no entry stays',
  { skip },
  async (t) => {
    const { root, fault, entries } = await guest(t, 'tdx');
    const source = tdxSource(root);
    const cases = [
      [{ provider: 'sev_guest' }, 'TEE_PROVIDER', /provider tdx_guest expected, "sev_guest" found/],
      [{ provider: 'arm_cca_guest' }, 'TEE_PROVIDER', /"arm_cca_guest" found/],
      [{ provider: 'x'.repeat(5000) }, 'TEE_SIZE', /provider: at most 4096 bytes/],
      [{ provider: '\u00ff\u00fe' }, 'TEE_INTERFACE', /provider: text expected/],
      [{ provider: 'tdx_guest\n' }, 'TEE_PROVIDER', /"tdx_guest\\n" found/],
      [{ generation: '-1' }, 'TEE_INTERFACE', /generation: a number expected, "-1" found/],
      [{ generation: '9'.repeat(30) }, 'TEE_INTERFACE', /generation: a number expected/],
      [{ generation: '7' }, 'TEE_CONFLICT', /lost writes/],
      [{ missing: ['inblob'] }, 'TEE_INTERFACE', /inblob: .* ENOENT found/],
      [{ missing: ['outblob'] }, 'TEE_INTERFACE', /outblob: .* ENOENT found/],
      [{ missing: ['generation'] }, 'TEE_INTERFACE', /generation: .* ENOENT found/],
      [{ outblobErrors: [errno.EFBIG] }, 'TEE_SIZE', /EFBIG/],
      [{ outblobErrors: [errno.EIO] }, 'TEE_INTERFACE', /EIO/],
      [{ outblob: 'short' }, 'TEE_FORMAT', /TDX quote/],
      [{ outblob: 'huge' }, 'TEE_SIZE', /at most 8192 bytes/],
      [{ outblob: 'dice' }, 'TEE_SIZE', /at most 8192 bytes/],
      [{ outblob: 'other-data' }, 'TEE_REPORT_DATA', /report data/],
      [{ noProvider: true }, 'TEE_INTERFACE', /ENXIO/],
    ] as const;
    for (const [faults, code, message] of cases) {
      fault(faults);
      await assert.rejects(source.makeEvidence(reportData), { code, message }, JSON.stringify(faults));
      assert.deepEqual(entries(), [], JSON.stringify(faults));
    }
    fault({ outblob: 'dice' });
    await assert.rejects(source.makeEvidence(reportData), (error) => /DICE/.test(hintOf(error) ?? ''));
    fault({ removal: errno.EBUSY });
    await assert.rejects(source.makeEvidence(reportData), { code: 'TEE_INTERFACE', message: /removed/ });
    fault({ removal: errno.EBUSY, provider: 'sev_guest' });
    await assert.rejects(source.makeEvidence(reportData), { code: 'TEE_PROVIDER' });
  },
);

void test("report data of another length is the caller's mistake", async () => {
  await assert.rejects(tdxSource('/nowhere').makeEvidence(new Uint8Array(32)), RangeError);
  await assert.rejects(tdxSource('/nowhere').makeEvidence(reportData), { code: 'TEE_INTERFACE' });
});
