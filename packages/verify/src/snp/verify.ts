import { toHex } from '@ensconce/base/bytes';
import { productOf, readTcb } from '@ensconce/evidence/snp/tcb';
import { parseSnpReport, type SnpReport } from '@ensconce/evidence/snp/quote';
import { CheckList } from '../check.ts';
import { checkWindows, joinWindows, makeWindow } from '../window.ts';
import { issueVerdict, type Judged, type Verdict } from '../verdict.ts';
import { parseChecked, refuse } from '../refusal.ts';
import { anchorOf } from './root.ts';
import { checkRevocation } from './revocation.ts';
import {
  findCandidates,
  findChain,
  matchesChip,
  matchesTcb,
  readPool,
  type Candidate,
  type VekChain,
} from './chain.ts';
import { snpClaims } from './claims.ts';
import type { AmdCollateral } from './collateral.ts';
import type { VerifyOptions } from '../options.ts';

const fetchHint = 'fetch the certificates of this chip: `ensconce evidence collateral fetch`';
const chainWords = 'a VCEK or VLEK, an ASK or ASVK, and an ARK, each signed by the next';

function checkSigned(checks: CheckList, report: SnpReport): boolean {
  const { signingKey, chipKeyMasked } = report.body;
  const ok = signingKey !== 'none' && !chipKeyMasked;
  return checks.that('report is signed', ok, {
    expected: 'a VCEK or VLEK as signing key, not masked',
    found: chipKeyMasked ? 'a masked chip key' : signingKey,
    hint: 'the host’s firmware was told to sign nothing (MASK_CHIP_KEY)',
  });
}

function isCurrent({ leaf }: VekChain, at: Date): boolean {
  return leaf.notBefore <= at.getTime() && at.getTime() <= leaf.notAfter;
}

async function chainOf(
  checks: CheckList,
  report: SnpReport,
  collateral: AmdCollateral | undefined,
  options: VerifyOptions,
): Promise<VekChain | undefined> {
  const pool = readPool(collateral);
  const candidates = findCandidates(report, pool);
  let problem: string | undefined;
  let chain: VekChain | undefined;
  for (const candidate of candidates) {
    const found = await findChain(candidate, pool, options);
    if (found === undefined || typeof found === 'string') {
      problem = found ?? problem;
      continue;
    }
    chain ??= found;
    // Certificates are issued again, under the same key or another: the one that fits is valid now, and its key signed.
    if (!isCurrent(found, options.at) || !(await found.key.verify(report.signature, report.signed))) continue;
    chain = found;
    break;
  }
  if (chain !== undefined) {
    checks.that('certificate chain', true, { expected: chainWords, found: 'such a chain' });
    return chain;
  }
  checks.that('certificate chain', false, {
    expected: chainWords,
    found: problem ?? missing(report, candidates),
    ...(problem === undefined ? { failure: 'undetermined', hint: fetchHint } : {}),
  });
  return undefined;
}

function missing(report: SnpReport, candidates: readonly Candidate[]): string {
  return candidates.length === 0
    ? `no ${report.body.signingKey} of this chip and TCB in the collateral`
    : `no ${report.body.signingKey === 'VLEK' ? 'ASVK' : 'ASK'} or ARK in the collateral`;
}

function checkBody(checks: CheckList, report: SnpReport, chain: VekChain): void {
  const { body } = report;
  const { vek } = chain;
  checks.that('certificate is of this chip', matchesChip(report, vek), {
    expected: vek.hwId ?? 'any chip of the provider',
    found: toHex(body.chipId),
  });
  checks.that('certificate is of the reported TCB', matchesTcb(report, vek), {
    expected: JSON.stringify(vek.tcb),
    found: JSON.stringify(readTcb(body.reportedTcb, vek.layout)),
  });
  if (body.cpuid !== undefined) {
    const product = productOf(body.cpuid.family, body.cpuid.model);
    const ok = product === undefined || vek.productName.startsWith(product);
    checks.that('certificate is of this product', ok, { expected: product ?? 'any', found: vek.productName });
  }
}

async function checkTrust(
  checks: CheckList,
  chain: VekChain,
  options: VerifyOptions,
): Promise<'amd' | 'simulated' | undefined> {
  const anchor = await anchorOf(options.crypto, chain.root, options.insecureSimulatedRoots);
  checks.that('root is trusted', anchor !== undefined, {
    expected: options.insecureSimulatedRoots?.length
      ? 'a root of AMD, or a given simulated one'
      : 'a root of AMD',
    found: anchor ?? `another root named "${chain.root.subject.commonName}"`,
    hint: chain.root.subject.commonName.includes('SIMULATED')
      ? 'the evidence is simulated; only an insecure option makes the verifier believe a simulated vendor'
      : 'the evidence was not made by production hardware',
  });
  checkWindows(
    checks,
    joinWindows(
      [chain.leaf, chain.intermediate, chain.root].map((certificate) =>
        makeWindow(
          `"${certificate.subject.commonName}"`,
          certificate.notBefore,
          certificate.notAfter,
          fetchHint,
        ),
      ),
    ),
    options.at,
  );
  return anchor;
}

/** Judges a report into `checks`; undefined where it is not genuine or cannot be judged. */
export async function judgeSnp(
  bytes: Uint8Array,
  collateral: AmdCollateral | undefined,
  checks: CheckList,
  options: VerifyOptions,
): Promise<Judged | undefined> {
  const report = parseChecked(checks, 'an SEV-SNP report of version 2 to 5', () =>
    parseSnpReport(bytes, options.trailing),
  );
  if (report === undefined || !checkSigned(checks, report)) return undefined;
  const chain = await chainOf(checks, report, collateral, options);
  if (chain === undefined) return undefined;
  const signed = await chain.key.verify(report.signature, report.signed);
  checks.that('report is signed by the certified key', signed, {
    expected: 'a valid ECDSA P-384 signature',
    found: signed ? 'a valid ECDSA P-384 signature' : 'a wrong signature',
  });
  const anchor = await checkTrust(checks, chain, options);
  checkBody(checks, report, chain);
  const list = await checkRevocation(checks, collateral, chain, options);
  if (checks.outcome !== 'genuine') return undefined;
  return {
    simulated: anchor === 'simulated',
    claims: snpClaims(report, chain, list),
    tcbStatus: null,
    tcbDate: null,
    advisories: [],
    tcb: null,
  };
}

/**
 * Judges an attacker-controlled SEV-SNP report of version 2 to 5. AMD publishes no rating of TCB levels: `tcbStatus` is null, and minimum levels are
 * for the policy. Always gives a verdict, never throws on what evidence or collateral say; reads no clock and no network.
 */
export async function verifySnpReport(
  bytes: Uint8Array,
  collateral: AmdCollateral | undefined,
  options: VerifyOptions,
): Promise<Verdict> {
  const checks = new CheckList();
  const judged = await judgeSnp(bytes, collateral, checks, options);
  if (judged === undefined) return refuse('snp', checks, options.at);
  return issueVerdict({ tee: 'snp', outcome: 'genuine', ...judged, checks: checks.list, at: options.at });
}
