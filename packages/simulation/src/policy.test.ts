import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { appraise, type Decision } from '@ensconce/verify/appraisal';
import { parseAppraisalPolicy } from '@ensconce/verify/policy-file';
import { verifySgxQuote } from '@ensconce/verify/sgx/verify';
import { verifySnpReport } from '@ensconce/verify/snp/verify';
import { verifyTdxQuote } from '@ensconce/verify/tdx/verify';
import type { Verdict } from '@ensconce/verify/verdict';
import { issueAmdCollateral } from './amd/collateral.ts';
import { makeAmdAuthority } from './amd/authority.ts';
import { makeChip } from './amd/chip.ts';
import { issueIntelCollateral } from './intel/collateral.ts';
import { makeIntelAuthority } from './intel/authority.ts';
import { makePlatform } from './intel/platform.ts';
import { makeSgxQuote } from './sgx/quote.ts';
import { makeSnpReport } from './snp/quote.ts';
import { makeTdxQuote } from './tdx/quote.ts';
import { upToDateTcb } from './vendor.ts';
import type { LevelSpec } from './intel/statement.ts';

const at = new Date('2026-11-22T12:00:00Z');
const day = 86_400_000;
const authority = await makeIntelAuthority(at);
const platform = await makePlatform(authority, at);
const amd = await makeAmdAuthority('Genoa', at, 2048);
const chip = await makeChip(amd, at);
const dates = { issued: new Date(at.getTime() - 60_000), next: new Date(at.getTime() + 30 * day) };
const reportData = new Uint8Array(64).fill(7);
const enclave = {
  mrenclave: new Uint8Array(32).fill(1),
  mrsigner: new Uint8Array(32).fill(2),
  isvprodid: 1,
  isvsvn: 1,
  reportData,
};
const trusting = {
  crypto: nodeCrypto,
  at,
  insecureSimulatedRoots: [authority.root.certificate, amd.ark.certificate],
};

/** Levels above that of the platform, youngest first, by their age in days; the platform's own is of a year ago. */
async function intel(tee: 'sgx' | 'tdx', missed: readonly number[]): Promise<Verdict> {
  const tcb = upToDateTcb(platform, tee, at);
  const daysAgo = (days: number): string =>
    `${new Date(at.getTime() - days * day).toISOString().slice(0, 10)}T00:00:00Z`;
  const level = (days: number, above: number): LevelSpec => ({
    components: platform.spec.components.map((svn, i) => (i === 0 ? svn + above : svn)),
    tdxComponents: platform.spec.teeTcbSvn,
    pceSvn: platform.spec.pceSvn,
    status: above === missed.length ? 'UpToDate' : 'OutOfDate',
    date: daysAgo(days),
    ...(above === missed.length ? {} : { advisories: ['INTEL-SA-00001'] }),
  });
  const levels = [...missed.map((days, i) => level(days, missed.length - i)), level(365, 0)];
  const qeLevels = tcb.qeLevels.map((one) => ({ ...one, date: daysAgo(365) }));
  const modules = tcb.modules?.map((module) => ({
    ...module,
    levels: module.levels.map((one) => ({ ...one, date: daysAgo(365) })),
  }));
  const collateral = await issueIntelCollateral(authority, {
    dates,
    tcb: {
      ...tcb,
      levels,
      qeLevels,
      ...(modules === undefined ? {} : { modules }),
      evaluationDataNumber: 17,
    },
    ca: 'platform',
    crlNumber: 1,
  });
  return tee === 'sgx'
    ? verifySgxQuote(makeSgxQuote(platform, enclave), collateral, trusting)
    : verifyTdxQuote(makeTdxQuote(platform, { reportData }), collateral, trusting);
}

const snp = await verifySnpReport(
  makeSnpReport(chip, { reportData, measurement: new Uint8Array(48).fill(1), version: 3 }),
  await issueAmdCollateral(amd, chip, { ...dates, number: 1 }),
  trusting,
);
const old = { sgx: await intel('sgx', [10]), tdx: await intel('tdx', [10]) };
const current = { sgx: await intel('sgx', []), tdx: await intel('tdx', []) };

const zero = '00'.repeat(48);
const identities = {
  sgx: [{ mrenclave: '01'.repeat(32) }],
  tdx: [{ mrtd: zero, rtmr0: zero, rtmr1: zero, rtmr2: zero, rtmr3: zero }],
  snp: [{ measurement: '01'.repeat(48), hostData: '00'.repeat(32), vmpl: 0 }],
};

/** As `ensconce evidence verify --policy` would have it of a file. */
function decide(verdict: Verdict, policy: Readonly<Record<string, unknown>>): Decision {
  return appraise(verdict, parseAppraisalPolicy({ acceptSimulation: true, ...identities, ...policy }))
    .decision;
}

void test('advisories are ignored for the TEE that they are listed for', () => {
  for (const tee of ['sgx', 'tdx'] as const) {
    const other = tee === 'sgx' ? 'tdx' : 'sgx';
    assert.equal(old[tee].tcbStatus, 'OutOfDate');
    const tolerate = ['outdated-tcb'];
    const rows: [unknown, Decision][] = [
      [[], 'not-accepted'],
      [['INTEL-SA-00001'], 'accepted'],
      [['INTEL-SA-00002'], 'not-accepted'],
      ['*', 'accepted'],
      [{ [tee]: ['INTEL-SA-00001'] }, 'accepted'],
      [{ [tee]: '*' }, 'accepted'],
      [{ [other]: ['INTEL-SA-00001'] }, 'not-accepted'],
      [{ [other]: '*' }, 'not-accepted'],
      [{}, 'not-accepted'],
    ];
    for (const [ignoreAdvisories, expected] of rows)
      assert.equal(
        decide(old[tee], { tolerate, ignoreAdvisories }),
        expected,
        JSON.stringify(ignoreAdvisories),
      );
    assert.equal(decide(old[tee], { ignoreAdvisories: '*' }), 'not-accepted', 'the status is not tolerated');
  }
});

void test('pinned machines are accepted, others and those that mask their id are not', async () => {
  const verdicts = [current.sgx, current.tdx, snp];
  const ids = [platform.spec.platformInstanceId, platform.spec.platformInstanceId, chip.hwId.toHex()];
  for (const [i, verdict] of verdicts.entries()) {
    assert.equal(decide(verdict, {}), 'accepted');
    assert.equal(decide(verdict, { platforms: [ids[i]?.toUpperCase()] }), 'accepted');
    assert.equal(decide(verdict, { platforms: ['00'.repeat(16), ids[i]] }), 'accepted');
    assert.equal(decide(verdict, { platforms: ['00'.repeat(16)] }), 'not-accepted');
    assert.equal(decide(verdict, { platforms: [] }), 'not-accepted');
  }
  const vlek = await makeChip(amd, at, { kind: 'VLEK' });
  const masked = await verifySnpReport(
    makeSnpReport(vlek, {
      reportData,
      measurement: new Uint8Array(48).fill(1),
      version: 3,
    }),
    await issueAmdCollateral(amd, vlek, { ...dates, number: 1 }),
    trusting,
  );
  assert.equal(decide(masked, {}), 'accepted');
  assert.equal(decide(masked, { platforms: ['00'.repeat(64)] }), 'not-accepted');
});

void test('a minimum TCB date and evaluation number hold; where the vendor has none a minimum level must stand in', () => {
  const date = (days: number): string => new Date(at.getTime() - days * day).toISOString();
  for (const tee of ['sgx', 'tdx'] as const) {
    assert.equal(decide(current[tee], { minimumTcbDate: date(366) }), 'accepted');
    assert.equal(decide(current[tee], { minimumTcbDate: date(364) }), 'not-accepted');
    assert.equal(decide(current[tee], { minimumEvaluationNumber: 17 }), 'accepted');
    assert.equal(decide(current[tee], { minimumEvaluationNumber: 18 }), 'not-accepted');
  }
  const levelled = (level: number): unknown =>
    identities.snp.map((one) => ({ ...one, minimumTcb: { snp: level } }));
  assert.equal(decide(snp, { minimumTcbDate: date(366) }), 'not-accepted');
  assert.equal(decide(snp, { minimumTcbDate: date(366), snp: levelled(24) }), 'accepted');
  assert.equal(decide(snp, { minimumTcbDate: date(366), snp: levelled(25) }), 'not-accepted');
});

void test('grace begins with the first update that a platform lacks, not with the newest', async () => {
  for (const tee of ['sgx', 'tdx'] as const) {
    assert.equal(decide(old[tee], { graceDays: 30 }), 'accepted');
    assert.equal(decide(old[tee], { graceDays: 9 }), 'not-accepted');
    assert.equal(decide(old[tee], {}), 'not-accepted');
    const longAgo = await intel(tee, [10, 200]);
    assert.equal(longAgo.tcbStatus, 'OutOfDate');
    assert.equal(decide(longAgo, { graceDays: 30 }), 'not-accepted');
    assert.equal(decide(longAgo, { graceDays: 201 }), 'accepted');
  }
});

void test('what a policy does not name is not accepted', () => {
  const verdicts = { ...current, snp };
  for (const tee of ['sgx', 'tdx', 'snp'] as const) {
    assert.equal(decide(verdicts[tee], { [tee]: [] }), 'not-accepted');
    assert.equal(decide(verdicts[tee], { [tee]: undefined }), 'not-accepted');
    assert.equal(decide(verdicts[tee], { acceptSimulation: undefined }), 'not-accepted');
    assert.equal(decide(verdicts[tee], { reportData: '08'.repeat(64) }), 'not-accepted');
    assert.equal(decide(verdicts[tee], { reportData: '07'.repeat(64) }), 'accepted');
  }
  const { sgx, tdx, snp: guest } = identities;
  const unpinned: [string, unknown][] = [
    ['sgx', [{}]],
    ['sgx', [{ mrsigner: '02'.repeat(32) }]],
    ['sgx', [{ ...sgx[0], reportData: '07'.repeat(64) }]],
    ...['mrtd', 'rtmr0', 'rtmr1', 'rtmr2', 'rtmr3'].map((name): [string, unknown] => [
      'tdx',
      [{ ...tdx[0], [name]: undefined }],
    ]),
    ...['measurement', 'hostData', 'vmpl'].map((name): [string, unknown] => [
      'snp',
      [{ ...guest[0], [name]: undefined }],
    ]),
  ];
  for (const [tee, value] of unpinned)
    assert.throws(
      () => parseAppraisalPolicy({ [tee]: value }),
      { code: 'VERIFY_POLICY' },
      JSON.stringify(value),
    );
});
