import { equalBytes, isZero, toHex } from '@ensconce/base/bytes';
import { hardwareReportData, parseHclReport, type HclReport } from '@ensconce/evidence/azure/quote';
import { isAzureEvidence, parseAzureEvidence, type AzureEvidence } from '@ensconce/evidence/azure/envelope';
import { parseHclRuntimeData, type HclRuntimeData } from '@ensconce/evidence/azure/body';
import { X509Error } from '@ensconce/x509/errors';
import { CheckList } from '../check.ts';
import { checkTpmQuote } from '../tpm/quote.ts';
import { parseTpmQuoteBody } from '@ensconce/evidence/tpm/body';
import { EvidenceError } from '@ensconce/evidence/errors';
import type { TpmQuoteClaims } from '../tpm/claims.ts';
import { issueVerdict, type Judged, type Verdict } from '../verdict.ts';
import { judgeSnp } from '../snp/verify.ts';
import { judgeTdx } from '../tdx/verify.ts';
import { parseChecked, refuse } from '../refusal.ts';
import { requiredFor } from '../intel/required.ts';
import type { CollateralPool } from '../collateral-pool.ts';
import type { VerifyOptions } from '../options.ts';
import type { VtpmClaims } from './claims.ts';

interface Parsed {
  readonly evidence: AzureEvidence;
  readonly report: HclReport;
  readonly runtime: HclRuntimeData;
}

function parse(bytes: Uint8Array): Parsed {
  const evidence = isAzureEvidence(bytes)
    ? parseAzureEvidence(bytes)
    : { hclReport: bytes, tdQuote: undefined, vcek: undefined, tpm: undefined };
  const report = parseHclReport(evidence.hclReport);
  return { evidence, report, runtime: parseHclRuntimeData(report.runtimeData) };
}

/** The digest of the runtime data, then zeros, is the hardware's report data: this ties the vTPM's key to the hardware. */
async function checkBinding(checks: CheckList, { report }: Parsed, options: VerifyOptions): Promise<void> {
  const digest = await options.crypto[report.hash](report.runtimeData);
  const found = hardwareReportData(report);
  const ok = equalBytes(found.subarray(0, digest.length), digest) && isZero(found.subarray(digest.length));
  checks.that('vTPM keys are bound in the hardware report', ok, {
    expected: toHex(digest),
    found: toHex(found),
  });
}

async function checkTpm(
  checks: CheckList,
  parsed: Parsed,
  options: VerifyOptions,
): Promise<TpmQuoteClaims | null> {
  const { tpm } = parsed.evidence;
  if (tpm === undefined) return null;
  try {
    const key = await options.crypto.publicKeyOfJwk(parsed.runtime.attestationKey, 'rsa-pkcs1-sha256');
    const input = { ...tpm, body: parseTpmQuoteBody(tpm.message), hash: 'sha256' } as const;
    return (await checkTpmQuote(checks, input, key, options)) ?? null;
  } catch (error) {
    if (!(error instanceof X509Error) && !(error instanceof EvidenceError)) throw error;
    checks.that('TPM quote is readable', false, {
      expected: 'a quote and an RSA key',
      found: error.message,
    });
    return null;
  }
}

async function judgeHardware(
  checks: CheckList,
  { evidence, report }: Parsed,
  pool: CollateralPool,
  options: VerifyOptions,
): Promise<Judged | undefined> {
  if (report.kind === 'snp') {
    const amd = pool.amd();
    const certificates =
      evidence.vcek === undefined ? amd.certificates : [evidence.vcek, ...amd.certificates];
    return judgeSnp(report.hardwareReport, { ...amd, certificates }, checks, options);
  }
  const quote = evidence.tdQuote;
  const given = checks.that('TD quote is given', quote !== undefined, {
    expected: 'the quote that Azure makes of the TDREPORT',
    found: quote === undefined ? 'none' : 'a quote',
    failure: 'undetermined',
    hint: 'a TDREPORT proves nothing outside of its machine: have the quote made at the metadata service (/acc/tdquote)',
  });
  if (!given || quote === undefined) return undefined;
  // Azure pads the quote with zeros to a fixed size.
  const judged = await judgeTdx(quote, pool.intel(requiredFor(quote, 'tdx'), 'tdx', options.at), checks, {
    ...options,
    trailing: 'ignore',
  });
  const bound = toHex(hardwareReportData(report));
  const { claims } = judged ?? {};
  if (claims?.tee === 'tdx') {
    checks.that('TD quote is of this TDREPORT', claims.reportData === bound, {
      expected: bound,
      found: claims.reportData,
    });
  }
  return judged;
}

/**
 * Judges what an Azure confidential VM shows of itself: an HCL report, alone or in the JSON form with TPM quote and TD quote. The verdict is that
 * of the hardware, with the vTPM's claims beside it. Attacker-controlled; always gives a verdict.
 */
export async function verifyAzureEvidence(
  bytes: Uint8Array,
  pool: CollateralPool,
  options: VerifyOptions,
): Promise<Verdict> {
  const checks = new CheckList();
  const parsed = parseChecked(checks, 'an HCL report of SNP or TDX', () => parse(bytes));
  if (parsed === undefined) return refuse('snp', checks, options.at);
  const tee = parsed.report.kind;
  await checkBinding(checks, parsed, options);
  const tpm = await checkTpm(checks, parsed, options);
  const judged = await judgeHardware(checks, parsed, pool, options);
  const { claims } = judged ?? {};
  if (
    judged === undefined ||
    checks.outcome !== 'genuine' ||
    (claims?.tee !== 'snp' && claims?.tee !== 'tdx')
  )
    return refuse(tee, checks, options.at);
  const vtpm: VtpmClaims = {
    attestationKey: parsed.runtime.attestationKey.n,
    userData: parsed.runtime.userData,
    vmConfiguration: parsed.runtime.vmConfiguration,
    tpm,
  };
  return issueVerdict({
    ...judged,
    tee,
    outcome: 'genuine',
    claims: { ...claims, vtpm },
    checks: checks.list,
    at: options.at,
  });
}
