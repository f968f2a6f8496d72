import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { VerificationCache } from '@ensconce/verify/cache';
import { verifySgxQuote } from '@ensconce/verify/sgx/verify';
import { verifyTdxQuote } from '@ensconce/verify/tdx/verify';
import type { IntelCollateral } from '@ensconce/verify/intel/collateral';
import { issueIntelCollateral, serialOf, type CollateralRequest } from './collateral.ts';
import { makeIntelAuthority } from './authority.ts';
import { makePlatform } from './platform.ts';
import { makeSgxQuote } from '../sgx/quote.ts';
import { makeTdxQuote } from '../tdx/quote.ts';
import { upToDateTcb } from '../vendor.ts';
import type { QuoteFaults } from './quote.ts';

const at = new Date('2026-11-22T12:00:00Z');
const day = 86_400_000;
const authority = await makeIntelAuthority(at);
const platform = await makePlatform(authority, at);
const processor = await makePlatform(authority, at, { ca: 'processor', qeIsvSvn: 7 });
const stranger = await makePlatform(await makeIntelAuthority(at), at);
const dates = { issued: new Date(at.getTime() - 60_000), next: new Date(at.getTime() + 30 * day) };
const enclave = {
  mrenclave: new Uint8Array(32).fill(1),
  mrsigner: new Uint8Array(32).fill(2),
  isvprodid: 1,
  isvsvn: 1,
  reportData: new Uint8Array(64).fill(7),
};

const issue = (tee: 'sgx' | 'tdx', change: Partial<CollateralRequest> = {}): Promise<IntelCollateral> =>
  issueIntelCollateral(authority, {
    dates,
    tcb: upToDateTcb(platform, tee, at),
    ca: 'platform',
    crlNumber: 1,
    ...change,
  });

const chain = new TextDecoder().decode(platform.chain);
const collaterals: (IntelCollateral | undefined)[] = [
  undefined,
  await issue('sgx'),
  await issue('tdx'),
  { ...(await issue('sgx')), pckCertificateChain: chain },
  await issue('sgx', { ca: 'processor' }),
  await issue('sgx', { revokedPcks: [serialOf(platform.pck)] }),
  await issue('sgx', { faults: { wrongTcbInfoSignature: true } }),
  await issue('sgx', { tcb: { ...upToDateTcb(platform, 'sgx', at), fmspc: '000000000001' } }),
  await issue('tdx', {
    tcb: { ...upToDateTcb(platform, 'tdx', at), modules: [] },
  }),
];
const faults: QuoteFaults[] = [
  {},
  { certificationType: 1 },
  { certificationType: 4 },
  { shuffledChain: true },
  { chainOf: processor },
  { chainOf: stranger },
  { unboundKey: true },
  { wrongQuoteSignature: true },
  { wrongQeReportSignature: true },
];
const td = { reportData: enclave.reportData, mrtd: new Uint8Array(48).fill(3) };
const svn = (minor: number): Uint8Array => Uint8Array.from(platform.spec.teeTcbSvn).with(0, minor);
const sgxEvidence = [
  ...faults.map((fault) => makeSgxQuote(platform, enclave, fault)),
  makeSgxQuote(platform, { ...enclave, debug: true, version: 4 }),
  makeSgxQuote(processor, enclave),
  makeSgxQuote(stranger, enclave),
];
const tdxEvidence = [
  makeTdxQuote(platform, td),
  makeTdxQuote(platform, { ...td, kind: 'td-1.5', teeTcbSvn2: svn(6) }),
  makeTdxQuote(platform, { ...td, teeTcbSvn: svn(4) }),
  makeTdxQuote(platform, { ...td, mrsignerseam: new Uint8Array(48).fill(1) }),
  makeTdxQuote(stranger, td),
];

void test('a verdict is the same to its last word with and without a cache, whatever it judged before', async () => {
  const cache = new VerificationCache();
  const tiny = new VerificationCache(2);
  const compare = async (
    judge: typeof verifySgxQuote,
    bytes: Uint8Array,
    collateral: IntelCollateral | undefined,
    time: Date,
  ): Promise<void> => {
    const options = { crypto: nodeCrypto, at: time, insecureSimulatedRoots: [authority.root.certificate] };
    const slow = (await judge(bytes, collateral, options)).toJSON();
    for (const one of [cache, tiny, cache])
      assert.deepEqual((await judge(bytes, collateral, { ...options, cache: one })).toJSON(), slow);
    // The same bytes in another object.
    const copy = collateral === undefined ? undefined : { ...collateral };
    assert.deepEqual((await judge(bytes, copy, { ...options, cache })).toJSON(), slow);
  };
  for (const collateral of collaterals) {
    for (const bytes of sgxEvidence) await compare(verifySgxQuote, bytes, collateral, at);
    for (const bytes of tdxEvidence) await compare(verifyTdxQuote, bytes, collateral, at);
  }
  const late = new Date(at.getTime() + 40 * day);
  for (const bytes of sgxEvidence) await compare(verifySgxQuote, bytes, collaterals[1], late);
});

void test('a cache is bounded, and keeps what is used', () => {
  const cache = new VerificationCache(16);
  const used = { name: 'used' };
  cache.set('used', used);
  for (let i = 0; i < 1000; i++) {
    cache.set(`${i}`, {});
    assert.equal(cache.get('used'), used);
    assert.ok(cache.size <= 16);
  }
  assert.equal(cache.get('0'), undefined);
});
