import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { appraise } from '@ensconce/verify/appraisal';
import { verifySnpReport } from '@ensconce/verify/snp/verify';
import { CollateralPool } from '@ensconce/verify/collateral-pool';
import type { AppraisalPolicy } from '@ensconce/verify/policy';
import type { SnpIdentity } from '@ensconce/verify/snp/policy';
import type { Verdict } from '@ensconce/verify/verdict';
import { issueAmdCollateral, type AmdCollateralRequest } from './collateral.ts';
import { makeAmdAuthority, type AmdProduct } from './authority.ts';
import { makeChip, type ChipSpec } from './chip.ts';
import { makeCertificateTable, makeSnpReport, type ReportFaults } from '../snp/quote.ts';
import type { SnpReportFields } from '../snp/body.ts';

const at = new Date('2026-11-22T12:00:00Z');
const day = 86_400_000;
const milan = await makeAmdAuthority('Milan', at, 2048);
const chip = await makeChip(milan, at);
const fields: SnpReportFields = {
  reportData: new Uint8Array(64).fill(7),
  measurement: new Uint8Array(48).fill(1),
  hostData: new Uint8Array(32).fill(2),
};
const listing: AmdCollateralRequest = {
  issued: new Date(at.getTime() - 60_000),
  next: new Date(at.getTime() + 30 * day),
  number: 1,
};
const trusting = { crypto: nodeCrypto, at, insecureSimulatedRoots: [milan.ark.certificate] };

async function judge(
  change: Partial<SnpReportFields>,
  faults: ReportFaults = {},
  list: Partial<AmdCollateralRequest> = {},
): Promise<Verdict> {
  const collateral = await issueAmdCollateral(milan, chip, { ...listing, ...list });
  return verifySnpReport(makeSnpReport(chip, { ...fields, ...change }, faults), collateral, trusting);
}

void test('reports of every version, product and kind of key are genuine', async () => {
  const products: AmdProduct[] = ['Milan', 'Genoa', 'Turin'];
  for (const product of products) {
    const authority = product === 'Milan' ? milan : await makeAmdAuthority(product, at, 2048);
    for (const kind of ['VCEK', 'VLEK'] as const) {
      const one = await makeChip(authority, at, { kind });
      const collateral = await issueAmdCollateral(authority, one, listing);
      for (const version of [2, 3, 4, 5] as const) {
        const verdict = await verifySnpReport(makeSnpReport(one, { ...fields, version }), collateral, {
          ...trusting,
          insecureSimulatedRoots: [authority.ark.certificate],
        });
        assert.deepEqual(verdict.failures, [], `${product} ${kind} version ${version}`);
        assert.equal(verdict.simulated, true);
        assert.ok(verdict.claims?.tee === 'snp');
        assert.equal(verdict.claims.revocationChecked, true);
        assert.equal(verdict.claims.signingKey, kind);
        assert.equal(verdict.claims.tcb.reported.snp, 24);
      }
    }
  }
});

void test('each fault of a report is not genuine', async () => {
  for (const faults of [{ wrongSignature: true }, { unsigned: true }, { padding: 1 }, { cut: 1 }])
    assert.equal((await judge({}, faults)).outcome, 'not-genuine', JSON.stringify(faults));
  const reportedTcb = { ...chip.tcb, microcode: 1 };
  assert.equal((await judge({ reportedTcb })).outcome, 'not-genuine');
});

void test('revoked keys are not genuine; without a valid list the claims say that nobody looked', async () => {
  assert.equal((await judge({}, {}, { revokedVek: true })).outcome, 'not-genuine');
  assert.equal((await judge({}, {}, { revokedAsk: true })).outcome, 'not-genuine');
  for (const list of [{ wrongListSignature: true }, { next: new Date(at.getTime() - 1) }]) {
    const verdict = await judge({}, {}, list);
    assert.ok(verdict.claims?.tee === 'snp');
    assert.equal(verdict.claims.revocationChecked, false);
  }
});

void test('certificates of another chip, of another vendor, and missing or expired ones', async () => {
  const report = makeSnpReport(chip, fields);
  const verdictWith = async (certificates: readonly Uint8Array[], options = trusting): Promise<string> =>
    (await verifySnpReport(report, { certificates, revocationLists: [] }, options)).outcome;
  const authorities = [milan.ask.certificate, milan.ark.certificate];
  const other = await makeChip(milan, at);
  assert.equal(await verdictWith([...authorities, other.vek.certificate]), 'not-genuine');
  const sameChip: ChipSpec = { hwId: chip.hwId, tcb: chip.tcb };
  const reissued = await makeChip(milan, at, sameChip);
  assert.equal(await verdictWith([...authorities, reissued.vek.certificate]), 'not-genuine');
  assert.equal(
    await verdictWith([...authorities, reissued.vek.certificate, chip.vek.certificate]),
    'genuine',
  );
  assert.equal(await verdictWith(authorities), 'undetermined');
  assert.equal(await verdictWith([chip.vek.certificate]), 'undetermined');
  assert.equal(
    await verdictWith([...authorities, chip.vek.certificate], { ...trusting, insecureSimulatedRoots: [] }),
    'not-genuine',
  );
  const late = { ...trusting, at: new Date(at.getTime() + 8 * 365 * day) };
  assert.equal(await verdictWith([...authorities, chip.vek.certificate], late), 'undetermined');
});

void test('the certificate table beside a report is collateral enough', async () => {
  const pool = new CollateralPool();
  assert.equal(pool.add(makeCertificateTable(chip, milan)), true);
  const verdict = await verifySnpReport(makeSnpReport(chip, fields), pool.amd(), trusting);
  assert.deepEqual(verdict.failures, []);
});

void test('a policy holds a guest to what it names', async () => {
  const identity: SnpIdentity = { measurement: '01'.repeat(48), hostData: '02'.repeat(32), vmpl: 0 };
  const policy = (change: Partial<SnpIdentity>): AppraisalPolicy => ({
    acceptSimulation: true,
    tolerate: [],
    ignoreAdvisories: [],
    snp: [{ ...identity, ...change }],
    reportData: fields.reportData,
  });
  const verdict = await judge({});
  assert.deepEqual(
    appraise(verdict, policy({ minimumTcb: { snp: 24 }, requireRevocationList: true })).failures,
    [],
  );
  const refused: Partial<SnpIdentity>[] = [
    { measurement: '00'.repeat(48) },
    { hostData: '00'.repeat(32) },
    { vmpl: 1 },
    { minimumTcb: { microcode: 220 } },
    { minimumGuestSvn: 1 },
    { idKeyDigest: '11'.repeat(48) },
    { requireSmtDisabled: true },
  ];
  for (const change of refused)
    assert.equal(appraise(verdict, policy(change)).decision, 'not-accepted', JSON.stringify(change));
  assert.equal(appraise(await judge({ debug: true }), policy({})).decision, 'not-accepted');
  assert.equal(appraise(await judge({ migrateMa: true }), policy({})).decision, 'not-accepted');
  const ahead = await judge({ currentTcb: { ...chip.tcb, snp: 25 } });
  assert.equal(appraise(ahead, policy({})).decision, 'not-accepted');
  assert.equal(appraise(ahead, policy({ allowProvisionalFirmware: true })).decision, 'accepted');
});
