import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concatBytes } from '@ensconce/base/bytes';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { appraise } from '@ensconce/verify/appraisal';
import { CollateralPool } from '@ensconce/verify/collateral-pool';
import { VerificationCache } from '@ensconce/verify/cache';
import { verifyAzureEvidence } from '@ensconce/verify/azure/verify';
import type { Verdict } from '@ensconce/verify/verdict';
import { checkFlips } from '../../test/flips.ts';
import { generateRsaKey } from '../key.ts';
import { issueAmdCollateral } from '../amd/collateral.ts';
import { issueIntelCollateral } from '../intel/collateral.ts';
import { makeAmdAuthority } from '../amd/authority.ts';
import { makeChip } from '../amd/chip.ts';
import { makeIntelAuthority } from '../intel/authority.ts';
import { makePlatform } from '../intel/platform.ts';
import { upToDateTcb } from '../vendor.ts';
import {
  makeAzureSnpEvidence,
  makeAzureTdxEvidence,
  type AzureFaults,
  type AzureRequest,
} from './envelope.ts';

const at = new Date('2026-11-22T12:00:00Z');
const dates = { issued: new Date(at.getTime() - 60_000), next: new Date(at.getTime() + 86_400_000) };
const amd = await makeAmdAuthority('Genoa', at, 2048);
const chip = await makeChip(amd, at);
const intel = await makeIntelAuthority(at);
const platform = await makePlatform(intel, at);
const key = generateRsaKey(2048);
const pcrs = Array.from({ length: 24 }, (_, index) => new Uint8Array(32).fill(index));
const nonce = new Uint8Array(32).fill(7);
const request: AzureRequest = { key, tpm: { nonce, pcrs } };
const measurement = new Uint8Array(48).fill(3);

async function makePool(): Promise<CollateralPool> {
  const pool = new CollateralPool();
  pool.addIntel(
    await issueIntelCollateral(intel, {
      dates,
      tcb: upToDateTcb(platform, 'tdx', at),
      ca: 'platform',
      crlNumber: 1,
    }),
  );
  const { certificates, revocationLists } = await issueAmdCollateral(amd, chip, { ...dates, number: 1 });
  for (const der of [...certificates.slice(1), ...revocationLists]) pool.add(der);
  return pool;
}
const pool = await makePool();
const options = {
  crypto: nodeCrypto,
  at,
  cache: new VerificationCache(),
  insecureSimulatedRoots: [amd.ark.certificate, intel.root.certificate],
};

const judge = (bytes: Uint8Array): Promise<Verdict> => verifyAzureEvidence(bytes, pool, options);
const makers = {
  snp: (one: AzureRequest, faults?: AzureFaults) => makeAzureSnpEvidence(chip, one, { measurement }, faults),
  tdx: (one: AzureRequest, faults?: AzureFaults) =>
    makeAzureTdxEvidence(platform, one, { mrtd: measurement }, faults),
} as const;

void test('what both kinds of machines show is genuine in every form and with every hash', async () => {
  for (const [tee, make] of Object.entries(makers)) {
    for (const hash of ['sha256', 'sha384', 'sha512'] as const) {
      const verdict = await judge(make({ ...request, hash }));
      assert.deepEqual(verdict.failures, [], `${tee} ${hash}`);
      const { claims } = verdict;
      assert.ok(claims?.tee === 'snp' || claims?.tee === 'tdx');
      assert.equal(claims.tee, tee);
      assert.equal(claims.vtpm?.tpm?.nonce, '07'.repeat(32));
      assert.equal(claims.vtpm.tpm.pcrs['23'], '17'.repeat(32));
    }
  }
  const old = await judge(makers.snp({ ...request, form: 'numbers' }));
  assert.deepEqual(old.failures, []);
});

void test('each fault is not genuine', async () => {
  const faults: AzureFaults[] = [
    { unbound: true },
    { reportType: 3 },
    { hashType: 4 },
    { cut: 80 },
    { otherTpmKey: true },
    { wrongTpmSignature: true },
    { otherPcrs: pcrs.toReversed() },
    {
      otherPcrs: [
        concatBytes(pcrs[0] as Uint8Array, pcrs[1] as Uint8Array),
        new Uint8Array(),
        ...pcrs.slice(2),
      ],
    },
  ];
  for (const [tee, make] of Object.entries(makers)) {
    for (const fault of faults) {
      const verdict = await judge(make(request, fault));
      assert.equal(verdict.outcome, 'not-genuine', `${tee} ${JSON.stringify(Object.keys(fault))}`);
      assert.equal(verdict.claims, null);
    }
  }
  const other = await judge(makers.tdx(request, { otherTdReport: true }));
  assert.equal(other.outcome, 'not-genuine');
});

void test('what is missing leaves it undetermined, and a missing TPM quote leaves the nonce unbound', async () => {
  assert.equal((await judge(makers.tdx(request, { withoutTdQuote: true }))).outcome, 'undetermined');
  assert.equal((await judge(makers.snp(request, { withoutVcek: true }))).outcome, 'undetermined');
  for (const make of Object.values(makers)) {
    const verdict = await judge(make(request, { withoutTpmQuote: true }));
    assert.equal(verdict.outcome, 'genuine');
    const policy = {
      acceptSimulation: true,
      tolerate: [],
      ignoreAdvisories: [],
      snp: 'not-checked',
      tdx: 'not-checked',
      reportData: nonce,
    } as const;
    assert.equal(appraise(verdict, policy).decision, 'not-accepted');
    assert.equal(appraise(await judge(make(request)), policy).decision, 'accepted');
  }
});

const flipsOf = async (make: (typeof makers)['snp']): Promise<number> => {
  const evidence = JSON.parse(new TextDecoder().decode(make(request))) as { hcl_report: string };
  const report = Uint8Array.fromBase64(evidence.hcl_report, { alphabet: 'base64url' });
  return checkFlips(report, (bytes) =>
    judge(new TextEncoder().encode(JSON.stringify({ ...evidence, hcl_report: bytes.toBase64() }))),
  );
};
/** Header but for its mark, sizes and version behind the report, and padding. */
const unsignedAround = 28 + 8 + 64;

void test('every flipped byte of an HCL report is refused, or is one that nobody signs', async () => {
  // What the signature leaves over.
  assert.equal(await flipsOf(makers.snp), unsignedAround + 368);
  // Of the TDREPORT only the report data counts outside of its machine: it binds the keys, and the quote must have the same.
  assert.equal(await flipsOf(makers.tdx), unsignedAround + 1184 - 64);
});
