import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { appraise } from '@ensconce/verify/appraisal';
import { verifySgxQuote } from '@ensconce/verify/sgx/verify';
import { verifyTdxQuote } from '@ensconce/verify/tdx/verify';
import type { TdxIdentity } from '@ensconce/verify/tdx/policy';
import type { Verdict } from '@ensconce/verify/verdict';
import { issueIntelCollateral, type CollateralFaults } from './collateral.ts';
import { makeIntelAuthority } from './authority.ts';
import { makePlatform, qeAttributes, type QeFaults, type SimulatedPlatform } from './platform.ts';
import { makeSgxQuote } from '../sgx/quote.ts';
import { makeTdxQuote, type TdxQuoteRequest } from '../tdx/quote.ts';
import { upToDateTcb } from '../vendor.ts';
import type { IsvLevelSpec, LevelSpec, TcbSpec } from './statement.ts';

const at = new Date('2026-11-22T12:00:00Z');
const dates = {
  issued: new Date(at.getTime() - 60_000),
  next: new Date(at.getTime() + 30 * 86_400_000),
};
const authority = await makeIntelAuthority(at);
const platform = await makePlatform(authority, at);
const trusting = { crypto: nodeCrypto, at, insecureSimulatedRoots: [authority.root.certificate] };
const reportData = new Uint8Array(64).fill(7);
const enclave = {
  mrenclave: new Uint8Array(32).fill(1),
  mrsigner: new Uint8Array(32).fill(2),
  isvprodid: 1,
  isvsvn: 1,
  reportData,
};
const { components, teeTcbSvn, pceSvn } = platform.spec;
const date = '2026-01-01T00:00:00Z';

const level = (status: LevelSpec['status'], change: Partial<LevelSpec> = {}): LevelSpec => ({
  components,
  tdxComponents: teeTcbSvn,
  pceSvn,
  status,
  date,
  ...change,
});
const isv = (
  isvSvn: number,
  status: IsvLevelSpec['status'],
  change: Partial<IsvLevelSpec> = {},
): IsvLevelSpec => ({ isvSvn, status, date, ...change });

async function judgeSgx(
  tcb: Partial<TcbSpec>,
  faults: CollateralFaults = {},
  one: SimulatedPlatform = platform,
): Promise<Verdict> {
  const request = { dates, ca: 'platform', crlNumber: 1, faults } as const;
  const collateral = await issueIntelCollateral(authority, {
    ...request,
    tcb: { ...upToDateTcb(platform, 'sgx', at), ...tcb },
  });
  return verifySgxQuote(makeSgxQuote(one, enclave), collateral, trusting);
}

async function judgeTd(
  change: Partial<TdxQuoteRequest>,
  tcb: Partial<TcbSpec> = {},
  faults: CollateralFaults = {},
): Promise<Verdict> {
  const request = { dates, ca: 'platform', crlNumber: 1, faults } as const;
  const collateral = await issueIntelCollateral(authority, {
    ...request,
    tcb: { ...upToDateTcb(platform, 'tdx', at), ...tcb },
  });
  return verifyTdxQuote(makeTdxQuote(platform, { reportData, ...change }), collateral, trusting);
}

const svn = (...bytes: number[]): Uint8Array => Uint8Array.from({ length: 16 }, (_, i) => bytes[i] ?? 0);

void test('a quoting enclave of another signer or product, or in debug mode, vouches for nothing', async () => {
  const faults: QeFaults[] = [
    { mrSigner: new Uint8Array(32).fill(1) },
    { isvProdId: 2 },
    { attributes: qeAttributes.with(0, (qeAttributes[0] ?? 0) | 2) },
    { miscSelect: Uint8Array.of(1, 0, 0, 0) },
  ];
  for (const qe of faults) {
    const verdict = await judgeSgx({}, {}, await makePlatform(authority, at, {}, qe));
    assert.equal(verdict.outcome, 'not-genuine', Object.keys(qe).join(''));
    assert.deepEqual(
      verdict.failures.map((check) => check.name),
      ['quoting enclave is the vendor’s'],
    );
  }
});

void test('what a PCK CA signed is no TCB info, another rating none that is known, and another identity says nothing', async () => {
  assert.equal((await judgeSgx({}, { signedByPckCa: true })).outcome, 'not-genuine');
  assert.equal((await judgeSgx({ tcbType: 1 })).outcome, 'not-genuine');
  assert.equal((await judgeSgx({}, { otherQeIdentity: true })).outcome, 'undetermined');
  assert.equal((await judgeTd({}, {}, { otherQeIdentity: true })).outcome, 'undetermined');
});

void test('TDX components 0 and 1 are the module’s own where its major version is not zero, and count where it is', async () => {
  const above = (index: number): Partial<TcbSpec> => ({
    levels: [level('UpToDate', { tdxComponents: teeTcbSvn.with(index, 99) })],
  });
  const statusOf = async (index: number, teeTcb: Uint8Array): Promise<string | null> =>
    (await judgeTd({ teeTcbSvn: teeTcb }, above(index))).tcbStatus;
  assert.equal(await statusOf(0, svn(5, 1, 6)), 'UpToDate');
  assert.equal(await statusOf(1, svn(5, 1, 6)), 'UpToDate');
  assert.equal(await statusOf(2, svn(5, 1, 6)), 'TcbNotSupported');
  const zero = { levels: [level('UpToDate', { tdxComponents: [5, 0, 6, ...teeTcbSvn.slice(3)] })] };
  assert.equal((await judgeTd({ teeTcbSvn: svn(5, 0, 6) }, zero)).tcbStatus, 'UpToDate');
  assert.equal((await judgeTd({ teeTcbSvn: svn(4, 0, 6) }, zero)).tcbStatus, 'TcbNotSupported');
});

void test('the module’s identity is that of its own major version; one without an identity is not genuine', async () => {
  const modules = [
    { version: 1, levels: [isv(5, 'UpToDate')] },
    { version: 3, levels: [isv(7, 'UpToDate'), isv(2, 'OutOfDate')] },
  ];
  const levels = [level('UpToDate', { tdxComponents: [...svn()] })];
  const judge = (teeTcb: Uint8Array): Promise<Verdict> => judgeTd({ teeTcbSvn: teeTcb }, { modules, levels });
  assert.equal((await judge(svn(5, 1))).tcb?.module?.id, 'TDX_01');
  const third = await judge(svn(5, 3));
  assert.equal(third.tcb?.module?.id, 'TDX_03');
  assert.equal(third.tcbStatus, 'OutOfDate');
  assert.equal((await judge(svn(7, 3))).tcbStatus, 'UpToDate');
  assert.equal((await judge(svn(1, 3))).tcbStatus, 'TcbNotSupported');
  assert.equal((await judge(svn(5, 2))).outcome, 'not-genuine');
  // Version 0 has no identity and no levels of its own.
  const old = await judge(svn(5, 0));
  assert.equal(old.tcbStatus, 'UpToDate');
  assert.equal(old.tcb?.module, null);
});

void test('advisories of platform, quoting enclave and module come together, with the earliest date', async () => {
  const verdict = await judgeTd(
    {},
    {
      levels: [level('SWHardeningNeeded', { advisories: ['INTEL-SA-3'], date: '2025-03-01T00:00:00Z' })],
      qeLevels: [
        isv(8, 'OutOfDate', { advisories: ['INTEL-SA-2', 'INTEL-SA-3'], date: '2024-03-01T00:00:00Z' }),
      ],
      modules: [{ version: 1, levels: [isv(5, 'OutOfDate', { advisories: ['INTEL-SA-1'] })] }],
    },
  );
  assert.equal(verdict.tcbStatus, 'OutOfDate');
  assert.deepEqual(verdict.advisories, ['INTEL-SA-1', 'INTEL-SA-2', 'INTEL-SA-3']);
  assert.equal(verdict.tcbDate, '2024-03-01T00:00:00Z');
});

void test('a TD of 1.5 needs a level for its launch and for now, and a module that the vendor knows both times', async () => {
  const modules = [{ version: 1, levels: [isv(5, 'UpToDate'), isv(3, 'OutOfDate')] }];
  const judge = (teeTcbSvn2: Uint8Array): Promise<Verdict> =>
    judgeTd({ kind: 'td-1.5', teeTcbSvn: svn(4, 1, 6), teeTcbSvn2 }, { modules });
  assert.equal((await judge(svn(5, 1, 6))).tcbStatus, 'TDRelaunchAdvised');
  assert.equal((await judge(svn(2, 1, 6))).tcbStatus, 'TcbNotSupported');
  assert.equal((await judge(svn(5, 1, 1))).tcbStatus, 'TcbNotSupported');
  assert.equal((await judge(svn(5, 2, 6))).outcome, 'not-genuine');
});

void test('a service TD, migration and exceptions by the host are refused unless a policy names them', async () => {
  const zeros = '00'.repeat(48);
  const identity = { mrtd: zeros, rtmr0: zeros, rtmr1: zeros, rtmr2: zeros, rtmr3: zeros };
  const decide = async (
    change: Partial<TdxQuoteRequest>,
    more: Partial<TdxIdentity> = {},
  ): Promise<string> => {
    const policy = { acceptSimulation: true, tolerate: [], ignoreAdvisories: [], reportData } as const;
    const verdict = await judgeTd({ kind: 'td-1.5', ...change });
    return appraise(verdict, { ...policy, tdx: [{ ...identity, ...more }] }).decision;
  };
  const mrservicetd = new Uint8Array(48).fill(3);
  const named = { mrservicetd: '03'.repeat(48) };
  assert.equal(await decide({}), 'accepted');
  assert.equal(await decide({ mrservicetd }), 'not-accepted');
  assert.equal(await decide({ mrservicetd }, named), 'accepted');
  assert.equal(await decide({}, named), 'not-accepted');
  // SEPT_VE_DISABLE and MIGRATABLE are bits 28 and 29.
  const migratable = Uint8Array.of(0, 0, 0, 0x30, 0, 0, 0, 0);
  assert.equal(await decide({ tdAttributes: migratable }), 'not-accepted');
  assert.equal(await decide({ tdAttributes: migratable, mrservicetd }, named), 'accepted');
  const exceptions = { tdAttributes: new Uint8Array(8) };
  assert.equal(await decide(exceptions), 'not-accepted');
  assert.equal(await decide(exceptions, { requireSeptVeDisable: false }), 'accepted');
  // Any bit of the first byte puts a TD under debug.
  for (const bit of [0, 1, 7]) {
    const tdAttributes = Uint8Array.of(1 << bit, 0, 0, 0x10, 0, 0, 0, 0);
    assert.equal(await decide({ tdAttributes }), 'not-accepted', `bit ${bit}`);
  }
});

void test('a quote that wants a platform manifest looked up is refused', async () => {
  const collateral = await issueIntelCollateral(authority, {
    dates,
    ca: 'platform',
    crlNumber: 1,
    tcb: upToDateTcb(platform, 'sgx', at),
  });
  for (const version of [3, 4, 5] as const) {
    const quote = makeSgxQuote(platform, { ...enclave, version }, { certificationType: 7 });
    const verdict = await verifySgxQuote(quote, collateral, trusting);
    assert.equal(verdict.outcome, 'not-genuine');
    assert.match(verdict.failures[0]?.found ?? '', /type 1 to 5 expected, type 7 found/);
  }
});
