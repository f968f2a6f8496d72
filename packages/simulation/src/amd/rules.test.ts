import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { appraise } from '@ensconce/verify/appraisal';
import { verifySnpReport } from '@ensconce/verify/snp/verify';
import type { SnpClaims } from '@ensconce/verify/snp/claims';
import type { SnpIdentity } from '@ensconce/verify/snp/policy';
import type { Verdict } from '@ensconce/verify/verdict';
import { issueAmdCollateral } from './collateral.ts';
import { makeAmdAuthority, type AmdAuthority } from './authority.ts';
import { makeChip, type SimulatedChip } from './chip.ts';
import { makeSnpReport } from '../snp/quote.ts';
import type { SnpReportFields } from '../snp/body.ts';

const at = new Date('2026-11-22T12:00:00Z');
const listing = {
  issued: new Date(at.getTime() - 60_000),
  next: new Date(at.getTime() + 30 * 86_400_000),
  number: 1,
};
const milan = await makeAmdAuthority('Milan', at, 2048);
const turin = await makeAmdAuthority('Turin', at, 2048);
const chip = await makeChip(milan, at);
const turinChip = await makeChip(turin, at);
const reportData = new Uint8Array(64).fill(7);

async function judge(
  fields: Partial<SnpReportFields>,
  one: SimulatedChip = chip,
  authority: AmdAuthority = milan,
): Promise<Verdict> {
  const collateral = await issueAmdCollateral(authority, one, listing);
  return verifySnpReport(makeSnpReport(one, { reportData, ...fields }), collateral, {
    crypto: nodeCrypto,
    at,
    insecureSimulatedRoots: [milan.ark.certificate, turin.ark.certificate],
  });
}

function claimsOf({ claims, failures }: Verdict): SnpClaims {
  assert.deepEqual(failures, []);
  assert.ok(claims?.tee === 'snp');
  return claims;
}

const identity: SnpIdentity = { measurement: '00'.repeat(48), hostData: '00'.repeat(32), vmpl: 0 };

async function decide(fields: Partial<SnpReportFields>, more: Partial<SnpIdentity> = {}): Promise<string> {
  const policy = { acceptSimulation: true, tolerate: [], ignoreAdvisories: [], reportData } as const;
  return appraise(await judge(fields), { ...policy, snp: [{ ...identity, ...more }] }).decision;
}

void test('committed and reported TCB are never above the current one, and firmware that can be rolled back is refused', async () => {
  const { tcb } = chip;
  const above = { ...tcb, microcode: tcb.microcode + 1 };
  const below = { ...tcb, microcode: tcb.microcode - 1 };
  assert.equal(await decide({}), 'accepted');
  assert.equal(await decide({ committedTcb: above }), 'not-accepted');
  // The certificate is of the reported TCB: a current one below it cannot be.
  assert.equal(await decide({ currentTcb: below, committedTcb: below }), 'not-accepted');
  assert.equal(await decide({ committedTcb: below }), 'not-accepted');
  assert.equal(await decide({ committedTcb: below }, { allowProvisionalFirmware: true }), 'accepted');
  const newer = { major: 1, minor: 55, build: 30 };
  assert.equal(await decide({ currentFirmware: newer }), 'not-accepted');
  assert.equal(await decide({ currentFirmware: newer }, { allowProvisionalFirmware: true }), 'accepted');
  for (const committedFirmware of [
    newer,
    { major: 1, minor: 56, build: 0 },
    { major: 2, minor: 0, build: 0 },
  ])
    assert.equal(await decide({ committedFirmware }, { allowProvisionalFirmware: true }), 'not-accepted');
});

void test('a minimum TCB holds for each part, and also for what was current at launch', async () => {
  const { tcb } = chip;
  const minimumTcb = { bootloader: tcb.bootloader, tee: tcb.tee, snp: tcb.snp, microcode: tcb.microcode };
  assert.equal(await decide({}, { minimumTcb }), 'accepted');
  for (const part of ['bootloader', 'tee', 'snp', 'microcode'] as const) {
    assert.equal(await decide({}, { minimumTcb: { [part]: tcb[part] + 1 } }), 'not-accepted', part);
    const launchTcb = { ...tcb, [part]: tcb[part] - 1 };
    assert.equal(await decide({ launchTcb }, { minimumTcb }), 'not-accepted', part);
    assert.equal(await decide({ launchTcb }), 'accepted', part);
  }
  // Milan has no FMC: a minimum for it is never met.
  assert.equal(await decide({}, { minimumTcb: { fmc: 1 } }), 'not-accepted');
});

void test('Turin orders the parts of a TCB anew and has one more; each must be that of the certificate', async () => {
  assert.deepEqual(claimsOf(await judge({}, turinChip, turin)).tcb.reported, turinChip.tcb);
  for (const part of ['fmc', 'bootloader', 'tee', 'snp', 'microcode'] as const) {
    const reportedTcb = { ...turinChip.tcb, [part]: (turinChip.tcb[part] ?? 0) + 1 };
    assert.equal((await judge({ reportedTcb }, turinChip, turin)).outcome, 'not-genuine', part);
  }
});

void test('a masked chip stays nameless, and no policy that lists chips accepts it', async () => {
  const verdict = await judge({ maskChipId: true });
  assert.equal(claimsOf(verdict).chipId, null);
  const policy = {
    acceptSimulation: true,
    tolerate: [],
    ignoreAdvisories: [],
    snp: 'not-checked',
    reportData,
  } as const;
  const platforms = [chip.hwId.toHex(), '00'.repeat(64)];
  assert.equal(appraise(verdict, { ...policy, platforms }).decision, 'not-accepted');
  assert.equal(appraise(await judge({}), { ...policy, platforms }).decision, 'accepted');
});

void test('the report says which kind of key signed it, and the certificate is of that kind and of its issuer', async () => {
  for (const kind of ['VCEK', 'VLEK'] as const) {
    const one = await makeChip(milan, at, { kind });
    assert.equal(claimsOf(await judge({}, one)).signingKey, kind);
    const other = kind === 'VCEK' ? 'VLEK' : 'VCEK';
    assert.equal((await judge({ signingKey: other }, one)).outcome, 'undetermined');
    assert.equal((await judge({ signingKey: 'none' }, one)).outcome, 'not-genuine');
    for (const certificateFault of ['other-issuer', 'nameless', 'both-names'] as const) {
      const faulty = await makeChip(milan, at, { kind, certificateFault });
      const verdict = await judge({}, faulty);
      assert.notEqual(verdict.outcome, 'genuine', `${kind} ${certificateFault}`);
    }
  }
});

void test('a processor is of the product that its certificate names; models that are not known may be of any', async () => {
  assert.equal((await judge({ cpuid: [0x19, 0x11, 1] })).outcome, 'not-genuine');
  assert.equal(claimsOf(await judge({ cpuid: [0x19, 0x7f, 1] })).product, 'unknown');
  assert.equal((await judge({ cpuid: [0x1a, 0x02, 1] })).outcome, 'not-genuine');
});

void test('keys that signed the guest’s identity are pinned by their digests', async () => {
  const digests = { idKeyDigest: new Uint8Array(48).fill(5), authorKeyDigest: new Uint8Array(48).fill(6) };
  const named = { idKeyDigest: '05'.repeat(48), authorKeyDigest: '06'.repeat(48) };
  assert.equal(await decide(digests, named), 'accepted');
  assert.equal(await decide({ idKeyDigest: digests.idKeyDigest }, named), 'not-accepted');
  assert.equal(await decide({}, named), 'not-accepted');
  assert.equal(claimsOf(await judge(digests)).authorKeyEnabled, true);
  assert.equal(claimsOf(await judge({})).authorKeyEnabled, false);
});

void test('the platform’s state is claimed, unknown bits included, and may be demanded', async () => {
  const claims = claimsOf(await judge({ platformInfo: 0xffn }));
  assert.equal(claims.platformInfo.value, '00000000000000ff');
  assert.equal(claims.platformInfo.tioEnabled, true);
  assert.equal(await decide({ platformInfo: 0x05n }, { requireAliasCheck: true }), 'not-accepted');
  assert.equal(
    await decide({ platformInfo: 0x24n }, { requireAliasCheck: true, requireSmtDisabled: true }),
    'accepted',
  );
  assert.equal(claimsOf(await judge({ version: 4 })).mitigations, null);
  assert.deepEqual(claimsOf(await judge({ version: 5 })).mitigations, {
    launch: '0000000000000001',
    current: '0000000000000003',
  });
});
