import { parseSgxQuote } from '@ensconce/evidence/sgx/quote';
import { parseTdxQuote } from '@ensconce/evidence/tdx/quote';
import { EvidenceError } from '@ensconce/evidence/errors';
import { detectEvidence, type EvidenceFormat } from '@ensconce/evidence/detect';
import { requiredIntelCollateral, type RequiredIntelCollateral } from './intel/required.ts';
import { verifySgxQuote } from './sgx/verify.ts';
import { verifySnpReport } from './snp/verify.ts';
import { verifyTdxQuote } from './tdx/verify.ts';
import type { CollateralPool } from './collateral-pool.ts';
import type { Verdict } from './verdict.ts';
import type { VerifyOptions } from './options.ts';

/** Which Intel collateral a quote needs; undefined where it does not say, or cannot be read. */
export function requiredFor(bytes: Uint8Array, tee: 'sgx' | 'tdx'): RequiredIntelCollateral | undefined {
  try {
    return requiredIntelCollateral(
      tee === 'sgx' ? parseSgxQuote(bytes, 'ignore') : parseTdxQuote(bytes, 'ignore'),
    );
  } catch (error) {
    if (error instanceof EvidenceError) return undefined;
    throw error;
  }
}

/** How each format is judged: one row per TEE. */
const verifiers: Readonly<
  Record<
    EvidenceFormat,
    (bytes: Uint8Array, pool: CollateralPool, options: VerifyOptions) => Promise<Verdict>
  >
> = {
  sgx: (bytes, pool, options) =>
    verifySgxQuote(bytes, pool.intel(requiredFor(bytes, 'sgx'), 'sgx', options.at), options),
  tdx: (bytes, pool, options) =>
    verifyTdxQuote(bytes, pool.intel(requiredFor(bytes, 'tdx'), 'tdx', options.at), options),
  snp: (bytes, pool, options) => verifySnpReport(bytes, pool.amd(), options),
};

/** Judges attacker-controlled evidence of any format that is known; undefined where the format is not recognised. */
export async function verifyEvidence(
  bytes: Uint8Array,
  pool: CollateralPool,
  options: VerifyOptions,
): Promise<Verdict | undefined> {
  const format = detectEvidence(bytes);
  return format === undefined ? undefined : verifiers[format](bytes, pool, options);
}
