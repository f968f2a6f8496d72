import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { appraise, Appraisal } from '@ensconce/verify/appraisal';
import { VerificationCache } from '@ensconce/verify/cache';
import { verifySgxQuote } from '@ensconce/verify/sgx/verify';
import { verifySnpReport } from '@ensconce/verify/snp/verify';
import { verifyTdxQuote } from '@ensconce/verify/tdx/verify';
import { Verdict } from '@ensconce/verify/verdict';
import { toHex } from '@ensconce/base/bytes';
import type { AppraisalPolicy } from '@ensconce/verify/policy';
import { issueAmdCollateral } from './amd/collateral.ts';
import { makeAmdAuthority } from './amd/authority.ts';
import { makeChip } from './amd/chip.ts';
import { makeSnpReport } from './snp/quote.ts';
import { checkFlips } from '../test/flips.ts';
import { openSimulatedVendor } from './vendor.ts';

const folder = mkdtempSync(join(tmpdir(), 'ensconce-vendor-'));
after(() => rmSync(folder, { recursive: true }));

const at = new Date('2026-11-22T12:00:00Z');
const vendor = await openSimulatedVendor({ folder: join(folder, 'state'), now: () => at });
const request = {
  mrenclave: new Uint8Array(32).fill(0xaa),
  mrsigner: new Uint8Array(32).fill(0xbb),
  isvprodid: 7,
  isvsvn: 3,
  reportData: new Uint8Array(64).fill(0xcc),
};
const trusting = { crypto: nodeCrypto, at, insecureSimulatedRoots: [vendor.rootCertificate] };
const policy: AppraisalPolicy = {
  acceptSimulation: true,
  tolerate: [],
  ignoreAdvisories: [],
  sgx: [{ mrenclave: 'aa'.repeat(32) }],
  reportData: request.reportData,
};

void test('a simulated quote is genuine for whoever trusts its root by the insecure option, and says that it is simulated', async () => {
  const verdict = await verifySgxQuote(vendor.makeSgxQuote(request), await vendor.collateral(), trusting);
  assert.deepEqual(verdict.failures, []);
  assert.equal(verdict.outcome, 'genuine');
  assert.equal(verdict.simulated, true);
  assert.equal(verdict.tcbStatus, 'UpToDate');
  assert.equal(verdict.claims?.tee, 'sgx');
  assert.equal(verdict.claims?.platformId, vendor.platformId);
  const appraisal = appraise(verdict, policy);
  assert.deepEqual(appraisal.failures, []);
  assert.equal(appraisal.decision, 'accepted');
});

void test('without the insecure option it is not genuine', async () => {
  const verdict = await verifySgxQuote(vendor.makeSgxQuote(request), await vendor.collateral(), {
    crypto: nodeCrypto,
    at,
  });
  assert.equal(verdict.outcome, 'not-genuine');
  assert.equal(verdict.claims, null);
  assert.match(verdict.failures[0]?.found ?? '', /SIMULATED/);
});

void test('without collateral, or with collateral out of its dates, nothing is determined', async () => {
  const quote = vendor.makeSgxQuote(request);
  const missing = await verifySgxQuote(quote, undefined, trusting);
  assert.equal(missing.outcome, 'undetermined');
  const later = new Date(at.getTime() + 31 * 86_400_000);
  const expired = await verifySgxQuote(quote, await vendor.collateral(), { ...trusting, at: later });
  assert.equal(expired.outcome, 'undetermined');
});

void test('a policy refuses simulation, debug, other code, another exchange and another platform', async () => {
  const verdict = await verifySgxQuote(
    vendor.makeSgxQuote({ ...request, debug: true }),
    await vendor.collateral(),
    trusting,
  );
  const refusals: [Partial<AppraisalPolicy>, string][] = [
    [{ acceptSimulation: false }, 'hardware is real'],
    [{ tolerate: [] }, 'debug mode is off'],
    [{ sgx: [] }, 'code is accepted'],
    [{ sgx: [{ mrenclave: 'ab'.repeat(32) }] }, 'code is accepted'],
    [{ reportData: new Uint8Array(64) }, 'evidence is bound to this exchange'],
    [{ platforms: [] }, 'platform is accepted'],
  ];
  const base: AppraisalPolicy = { ...policy, tolerate: ['debug-mode'], platforms: [vendor.platformId] };
  assert.equal(appraise(verdict, base).decision, 'accepted');
  for (const [change, name] of refusals) {
    const appraisal = appraise(verdict, { ...base, ...change });
    assert.equal(appraisal.decision, 'not-accepted');
    assert.deepEqual(
      appraisal.failures.map((check) => check.name),
      [name],
    );
    assert.ok(appraisal.failures[0]?.hint);
  }
});

void test('a signer is accepted within its ranges only', async () => {
  const verdict = await verifySgxQuote(vendor.makeSgxQuote(request), await vendor.collateral(), trusting);
  const signer = (minimum: number, maximum: number): AppraisalPolicy => ({
    ...policy,
    sgx: [
      {
        mrsigner: toHex(request.mrsigner),
        isvprodid: { minimum: 7, maximum: 7 },
        isvsvn: { minimum, maximum },
      },
    ],
  });
  assert.equal(appraise(verdict, signer(3, 65_535)).decision, 'accepted');
  assert.equal(appraise(verdict, signer(4, 65_535)).decision, 'not-accepted');
  assert.equal(appraise(verdict, signer(0, 2)).decision, 'not-accepted');
});

void test('every flipped byte of evidence is refused, or is one that nobody signs and changes no claim', async () => {
  const cache = new VerificationCache();
  const sgx = await vendor.collateral();
  const tdx = await vendor.collateral('tdx');
  // What remains of a quote: the text between the PEM blocks, and the NUL behind them.
  const ofSgx = await checkFlips(vendor.makeSgxQuote(request), (bytes) =>
    verifySgxQuote(bytes, sgx, { ...trusting, cache }),
  );
  assert.ok(ofSgx <= 16, `${ofSgx} bytes`);
  const td = vendor.makeTdxQuote({ reportData: request.reportData, kind: 'td-1.5' });
  // Behind it stands the same chain as above.
  const chain = td.length - 1800;
  assert.equal(await checkFlips(td, (bytes) => verifyTdxQuote(bytes, tdx, { ...trusting, cache }), chain), 0);
  const authority = await makeAmdAuthority('Milan', at, 2048);
  const chip = await makeChip(authority, at);
  const amd = await issueAmdCollateral(authority, chip, { issued: at, next: at, number: 1 });
  const options = { ...trusting, cache, insecureSimulatedRoots: [authority.ark.certificate] };
  const report = makeSnpReport(chip, { reportData: request.reportData });
  // The reserved bytes behind the signature.
  assert.equal(await checkFlips(report, (bytes) => verifySnpReport(bytes, amd, options)), 512 - 144);
});

void test('verdicts and appraisals cannot be made or changed outside the verifier', async () => {
  const verdict = await verifySgxQuote(vendor.makeSgxQuote(request), await vendor.collateral(), trusting);
  const make = (kind: unknown, ...values: unknown[]): unknown =>
    Reflect.construct(kind as new (...all: unknown[]) => unknown, values);
  assert.throws(() => make(Verdict, Symbol('verdict'), {}), TypeError);
  assert.throws(() => make(verdict.constructor, undefined, {}), TypeError);
  assert.throws(() => make(Appraisal, Symbol('appraisal'), verdict, [], policy), TypeError);
  assert.throws(() => Object.assign(verdict.claims ?? {}, { mrenclave: '00' }), TypeError);
  assert.throws(() => Object.defineProperty(verdict, 'outcome', { value: 'genuine' }), TypeError);
  assert.throws(
    () => appraise({ outcome: 'genuine', claims: verdict.claims } as unknown as Verdict, policy),
    TypeError,
  );
  assert.equal(Verdict.is(Object.create(Verdict.prototype)), false);
});

void test('the vendor is the same for everybody who opens its folder, and only its owner can', async () => {
  const state = join(folder, 'shared');
  const [one, two] = await Promise.all([
    openSimulatedVendor({ folder: state, now: () => at }),
    openSimulatedVendor({ folder: state, now: () => at }),
  ]);
  assert.deepEqual(one.rootCertificate, two.rootCertificate);
  assert.notDeepEqual(one.rootCertificate, vendor.rootCertificate);
  assert.deepEqual(readdirSync(state), ['simulated-vendor.json']);
  assert.equal(statSync(state).mode & 0o777, 0o700);
  assert.equal(statSync(join(state, 'simulated-vendor.json')).mode & 0o777, 0o600);
  const verdict = await verifySgxQuote(two.makeSgxQuote(request), await one.collateral(), {
    ...trusting,
    insecureSimulatedRoots: [one.rootCertificate],
  });
  assert.equal(verdict.outcome, 'genuine');
});
