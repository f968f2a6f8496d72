import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { appraise } from '@ensconce/verify/appraisal';
import { verifySgxQuote } from '@ensconce/verify/sgx/verify';
import { verifyTdxQuote } from '@ensconce/verify/tdx/verify';
import { toHex } from '@ensconce/base/bytes';
import type { AppraisalPolicy } from '@ensconce/verify/policy';
import type { Verdict } from '@ensconce/verify/verdict';
import {
  issueIntelCollateral,
  serialOf,
  type CollateralFaults,
  type CollateralRequest,
} from './collateral.ts';
import { makeIntelAuthority } from './authority.ts';
import { makePlatform } from './platform.ts';
import { makeSgxQuote } from '../sgx/quote.ts';
import { makeTdxQuote, type TdxQuoteRequest } from '../tdx/quote.ts';
import { upToDateTcb } from '../vendor.ts';
import type { IsvLevelSpec, LevelSpec, TcbSpec } from './statement.ts';
import type { QuoteFaults } from './quote.ts';

const at = new Date('2026-11-22T12:00:00Z');
const day = 86_400_000;
const authority = await makeIntelAuthority(at);
const platform = await makePlatform(authority, at);
const processor = await makePlatform(authority, at, { ca: 'processor' });
const foreign = await makePlatform(await makeIntelAuthority(at), at);

const reportData = new Uint8Array(64).fill(7);
const enclave = {
  mrenclave: new Uint8Array(32).fill(1),
  mrsigner: new Uint8Array(32).fill(2),
  isvprodid: 1,
  isvsvn: 1,
  reportData,
};
const dates = { issued: new Date(at.getTime() - 60_000), next: new Date(at.getTime() + 30 * day) };
const trusting = { crypto: nodeCrypto, at, insecureSimulatedRoots: [authority.root.certificate] };

function request(tee: 'sgx' | 'tdx', change: Partial<TcbSpec> = {}): CollateralRequest {
  return { dates, tcb: { ...upToDateTcb(platform, tee, at), ...change }, ca: 'platform', crlNumber: 1 };
}

async function judge(
  faults: QuoteFaults,
  change: Partial<CollateralRequest> = {},
  options: Partial<typeof trusting> = {},
): Promise<Verdict> {
  const collateral = await issueIntelCollateral(authority, { ...request('sgx'), ...change });
  return hinted(
    await verifySgxQuote(makeSgxQuote(platform, enclave, faults), collateral, { ...trusting, ...options }),
  );
}

/** Whatever fails says what to do. */
function hinted(verdict: Verdict): Verdict {
  for (const check of verdict.failures) assert.ok((check.hint ?? '').length > 10, check.name);
  return verdict;
}

void test('each fault of a quote is not genuine', async () => {
  const faults: QuoteFaults[] = [
    { wrongQuoteSignature: true },
    { unboundKey: true },
    { wrongQeReportSignature: true },
    { chainOf: foreign },
    { chainOf: processor },
    { padding: 1 },
    { cut: 1 },
  ];
  for (const fault of faults) {
    const verdict = await judge(fault);
    assert.equal(verdict.outcome, 'not-genuine', JSON.stringify(Object.keys(fault)));
    assert.equal(verdict.claims, null);
  }
  for (const version of [3, 4, 5] as const) {
    const collateral = await issueIntelCollateral(authority, request('sgx'));
    const quote = makeSgxQuote(platform, { ...enclave, version });
    for (let length = 0; length < quote.length; length += 97) {
      const verdict = await verifySgxQuote(quote.subarray(0, length), collateral, trusting);
      assert.equal(verdict.outcome, 'not-genuine', `version ${version}, ${length} bytes`);
    }
  }
});

void test('what real quotes vary in is genuine', async () => {
  for (const version of [3, 4, 5] as const) {
    const collateral = await issueIntelCollateral(authority, request('sgx'));
    for (const fault of [{}, { shuffledChain: true }, { certificationType: 4 }] as const) {
      const verdict = await verifySgxQuote(
        makeSgxQuote(platform, { ...enclave, version }, fault),
        collateral,
        trusting,
      );
      assert.deepEqual(verdict.failures, []);
      assert.equal(verdict.tcbStatus, 'UpToDate');
    }
  }
  const padded = makeSgxQuote(platform, enclave, { padding: 66 });
  const collateral = await issueIntelCollateral(authority, request('sgx'));
  assert.equal(
    (await verifySgxQuote(padded, collateral, { ...trusting, trailing: 'ignore' })).outcome,
    'genuine',
  );
});

void test('a quote that names its certificate by PPID takes it from the collateral, and only its own', async () => {
  const quote = makeSgxQuote(platform, enclave, { certificationType: 1 });
  const collateral = await issueIntelCollateral(authority, request('sgx'));
  const chainOf = (one: typeof platform): string => new TextDecoder().decode(one.chain);
  assert.equal((await verifySgxQuote(quote, collateral, trusting)).outcome, 'undetermined');
  const right = await verifySgxQuote(
    quote,
    { ...collateral, pckCertificateChain: chainOf(platform) },
    trusting,
  );
  assert.deepEqual(right.failures, []);
  const wrong = await verifySgxQuote(
    quote,
    { ...collateral, pckCertificateChain: chainOf(processor) },
    trusting,
  );
  assert.equal(wrong.outcome, 'not-genuine');
});

void test('each fault of the collateral counts', async () => {
  const notGenuine: CollateralFaults[] = [
    { wrongTcbInfoSignature: true },
    { wrongQeIdentitySignature: true },
    { wrongPckCrlSignature: true },
    { revokedTcbSigning: true },
    { revokedPckCa: true },
  ];
  for (const faults of notGenuine)
    assert.equal((await judge({}, { faults })).outcome, 'not-genuine', JSON.stringify(faults));
  assert.equal((await judge({}, { revokedPcks: [serialOf(platform.pck)] })).outcome, 'not-genuine');
  const undetermined: Partial<CollateralRequest>[] = [
    { dates: { issued: new Date(at.getTime() - 2 * day), next: new Date(at.getTime() - day) } },
    { dates: { issued: new Date(at.getTime() + day), next: new Date(at.getTime() + 2 * day) } },
    { tcb: { ...request('sgx').tcb, fmspc: '000000000001' } },
    { tcb: { ...request('sgx').tcb, pceId: '0001' } },
    request('tdx'),
    { ca: 'processor' },
  ];
  for (const change of undetermined)
    assert.equal((await judge({}, change)).outcome, 'undetermined', JSON.stringify(change));
});

void test('false evidence stays false where collateral is missing too', async () => {
  const verdict = await verifySgxQuote(
    makeSgxQuote(platform, enclave, { wrongQuoteSignature: true }),
    undefined,
    trusting,
  );
  assert.equal(verdict.outcome, 'not-genuine');
});

const components = platform.spec.components;
const higher = components.map((svn) => svn + 1);
const date = '2026-01-01T00:00:00Z';
const level = (status: LevelSpec['status'], extra: Partial<LevelSpec> = {}): LevelSpec => ({
  components,
  tdxComponents: platform.spec.teeTcbSvn,
  pceSvn: platform.spec.pceSvn,
  status,
  date,
  ...extra,
});

void test('every status of a level comes out, and joins with that of the quoting enclave', async () => {
  const qe = (status: IsvLevelSpec['status']): IsvLevelSpec[] => [{ isvSvn: 8, status, date }];
  const rows: [LevelSpec['status'], IsvLevelSpec['status'], string][] = [
    ['UpToDate', 'UpToDate', 'UpToDate'],
    ['SWHardeningNeeded', 'UpToDate', 'SWHardeningNeeded'],
    ['ConfigurationNeeded', 'UpToDate', 'ConfigurationNeeded'],
    ['ConfigurationAndSWHardeningNeeded', 'UpToDate', 'ConfigurationAndSWHardeningNeeded'],
    ['OutOfDate', 'UpToDate', 'OutOfDate'],
    ['OutOfDateConfigurationNeeded', 'UpToDate', 'OutOfDateConfigurationNeeded'],
    ['Revoked', 'UpToDate', 'Revoked'],
    ['UpToDate', 'OutOfDate', 'OutOfDate'],
    ['SWHardeningNeeded', 'OutOfDate', 'OutOfDate'],
    ['ConfigurationNeeded', 'OutOfDate', 'OutOfDateConfigurationNeeded'],
    ['ConfigurationAndSWHardeningNeeded', 'OutOfDate', 'OutOfDateConfigurationNeeded'],
    ['Revoked', 'OutOfDate', 'Revoked'],
    ['UpToDate', 'Revoked', 'Revoked'],
    ['OutOfDate', 'Revoked', 'Revoked'],
  ];
  for (const [status, qeStatus, expected] of rows) {
    const verdict = await judge({}, request('sgx', { levels: [level(status)], qeLevels: qe(qeStatus) }));
    assert.equal(verdict.tcbStatus, expected, `${status} and ${qeStatus}`);
  }
});

void test('the highest level that the platform reaches counts, wherever it stands; none is TcbNotSupported', async () => {
  const low = level('OutOfDate', {
    components: components.map(() => 0),
    advisories: ['INTEL-SA-2', 'INTEL-SA-1'],
  });
  const levels = [low, level('UpToDate', { components: higher }), level('SWHardeningNeeded')];
  assert.equal((await judge({}, request('sgx', { levels }))).tcbStatus, 'SWHardeningNeeded');
  const old = await judge({}, request('sgx', { levels: [low, level('UpToDate', { pceSvn: 14 })] }));
  assert.equal(old.tcbStatus, 'OutOfDate');
  assert.deepEqual(old.advisories, ['INTEL-SA-1', 'INTEL-SA-2']);
  const none = await judge({}, request('sgx', { levels: [level('UpToDate', { components: higher })] }));
  assert.equal(none.tcbStatus, 'TcbNotSupported');
  assert.equal(none.outcome, 'genuine');
  const noQe = await judge({}, request('sgx', { qeLevels: [{ isvSvn: 9, status: 'UpToDate', date }] }));
  assert.equal(noQe.tcbStatus, 'TcbNotSupported');
});

async function judgeTd(change: Partial<TdxQuoteRequest>, tcb: Partial<TcbSpec> = {}): Promise<Verdict> {
  const collateral = await issueIntelCollateral(authority, request('tdx', tcb));
  return verifyTdxQuote(makeTdxQuote(platform, { reportData, ...change }), collateral, trusting);
}

void test('TDs of every body are judged, with all measurements as claims', async () => {
  for (const [kind, version] of [
    ['td-1.0', 4],
    ['td-1.0', 5],
    ['td-1.5', 5],
    ['td-1.5-extended', 5],
  ] as const) {
    const rtmrs = [3, 4, 5, 6].map((byte) => new Uint8Array(48).fill(byte)) as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ];
    const verdict = await judgeTd({ kind, version, rtmrs, mrtd: new Uint8Array(48).fill(9) });
    assert.deepEqual(verdict.failures, []);
    assert.equal(verdict.tcbStatus, 'UpToDate');
    const { claims } = verdict;
    assert.ok(claims?.tee === 'tdx');
    assert.equal(claims.mrtd, '09'.repeat(48));
    assert.equal(claims.rtmr3, toHex(rtmrs[3]));
    assert.equal(claims.body, kind);
    assert.equal(claims.debug, false);
  }
  assert.equal((await judgeTd({ debug: true })).claims?.debug, true);
});

void test('a TDX module of another signer, with attributes, or unknown to Intel is not genuine', async () => {
  assert.equal((await judgeTd({ mrsignerseam: new Uint8Array(48).fill(1) })).outcome, 'not-genuine');
  assert.equal((await judgeTd({ seamAttributes: new Uint8Array(8).fill(1) })).outcome, 'not-genuine');
  assert.equal((await judgeTd({}, { modules: [] })).outcome, 'not-genuine');
});

void test('the module and a relaunch count towards the status', async () => {
  const svn = (minor: number): Uint8Array => Uint8Array.from(platform.spec.teeTcbSvn).with(0, minor);
  const modules = [
    {
      version: 1,
      levels: [
        { isvSvn: 5, status: 'UpToDate', date },
        { isvSvn: 3, status: 'OutOfDate', date },
      ],
    },
  ] as const;
  assert.equal((await judgeTd({ teeTcbSvn: svn(4) }, { modules })).tcbStatus, 'OutOfDate');
  assert.equal((await judgeTd({ teeTcbSvn: svn(2) }, { modules })).tcbStatus, 'TcbNotSupported');
  const relaunch = { kind: 'td-1.5', teeTcbSvn: svn(4), teeTcbSvn2: svn(5) } as const;
  assert.equal((await judgeTd(relaunch, { modules })).tcbStatus, 'TDRelaunchAdvised');
  const configured = { modules, levels: [level('ConfigurationNeeded')] };
  assert.equal((await judgeTd(relaunch, configured)).tcbStatus, 'TDRelaunchAdvisedConfigurationNeeded');
  const still = { ...relaunch, teeTcbSvn2: svn(4) };
  assert.equal((await judgeTd(still, { modules })).tcbStatus, 'OutOfDate');
});

const onlyPlatform: AppraisalPolicy = {
  acceptSimulation: true,
  tolerate: [],
  ignoreAdvisories: [],
  sgx: 'not-checked',
  tdx: 'not-checked',
  reportData,
};
const hintOf = (verdict: Verdict): string | undefined =>
  appraise(verdict, onlyPlatform).failures.find((check) => check.name === 'TCB status is accepted')?.hint;

void test('a platform that is not up to date is told what lacks, who updates it, and what a policy would have to say', async () => {
  const outdated = level('OutOfDate', { advisories: ['INTEL-SA-00001'] });
  const above = (index: number): LevelSpec => level('UpToDate', { components: components.with(index, 9) });
  const rows: [Partial<TcbSpec>, string][] = [
    [
      { levels: [above(0), outdated] },
      'platform is OutOfDate: Early Microcode Update (SGX TCB component 1) below 0x09: 0x08; update the BIOS, or tolerate `outdated-tcb` and list INTEL-SA-00001',
    ],
    [
      { levels: [above(1), outdated] },
      'platform is OutOfDate: SGX Late Microcode Update (SGX TCB component 2) below 0x09: 0x08; update the host’s operating system, its microcode and TDX module, or tolerate `outdated-tcb` and list INTEL-SA-00001',
    ],
    [
      { levels: [level('UpToDate', { pceSvn: 14 }), level('OutOfDate')] },
      'platform is OutOfDate: PCE below 0x0e: 0x0d; update the platform’s SGX software, and get a new PCK certificate, or tolerate `outdated-tcb`',
    ],
    [
      {
        qeLevels: [
          { isvSvn: 9, status: 'UpToDate', date },
          { isvSvn: 8, status: 'OutOfDate', date },
        ],
      },
      'platform is OutOfDate: quoting enclave below 0x09: 0x08; update the platform’s software for making quotes, or tolerate `outdated-tcb`',
    ],
    [
      { levels: [level('ConfigurationNeeded', { advisories: ['INTEL-SA-00002'] })] },
      'platform is ConfigurationNeeded; change the platform’s BIOS settings as the advisories say, or tolerate `insecure-configuration` and list INTEL-SA-00002',
    ],
    [
      { levels: [level('Revoked')] },
      'platform is Revoked; the vendor has withdrawn its trust in this state: update the platform; no policy can accept it',
    ],
  ];
  for (const [tcb, hint] of rows) assert.equal(hintOf(await judge({}, request('sgx', tcb))), hint);
  const modules = [
    {
      version: 1,
      levels: [
        { isvSvn: 6, status: 'UpToDate', date },
        { isvSvn: 5, status: 'OutOfDate', date },
      ],
    },
  ] as const;
  assert.equal(
    hintOf(await judgeTd({}, { modules })),
    'platform is OutOfDate: TDX module TDX_01 below 0x06: 0x05; update the TDX module, or tolerate `outdated-tcb`',
  );
});

void test('a quote of one TEE is not judged as the other', async () => {
  const sgx = makeSgxQuote(platform, { ...enclave, version: 4 });
  const tdx = makeTdxQuote(platform, { reportData });
  assert.equal((await verifyTdxQuote(sgx, undefined, trusting)).outcome, 'not-genuine');
  assert.equal((await verifySgxQuote(tdx, undefined, trusting)).outcome, 'not-genuine');
});
