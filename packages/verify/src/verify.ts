import { detectEvidence } from '@ensconce/evidence/detect';
import type { EvidenceFormat } from '@ensconce/evidence/format';
import { verifyRaTlsCertificate } from './ra-tls/verify.ts';
import { requiredFor } from './intel/required.ts';
import { verifyAzureEvidence } from './azure/verify.ts';
import { verifyNitroDocument } from './nitro/verify.ts';
import { verifySgxQuote } from './sgx/verify.ts';
import { verifySnpReport } from './snp/verify.ts';
import { verifyTdxQuote } from './tdx/verify.ts';
import { verifyTpmEvidence } from './tpm/verify.ts';
import type { CollateralPool } from './collateral-pool.ts';
import type { Verdict } from './verdict.ts';
import type { VerifyOptions } from './options.ts';

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
  nitro: (bytes, _pool, options) => verifyNitroDocument(bytes, options),
  azure: verifyAzureEvidence,
  'ra-tls': verifyRaTlsCertificate,
  tpm: (bytes, _pool, options) => verifyTpmEvidence(bytes, options),
};

/**
 * Judges attacker-controlled evidence of any format that is known; undefined where the format is not recognised. Throws `EvidenceError` where a
 * certificate carries no evidence.
 */
export async function verifyEvidence(
  bytes: Uint8Array,
  pool: CollateralPool,
  options: VerifyOptions,
): Promise<Verdict | undefined> {
  const format = detectEvidence(bytes);
  return format === undefined ? undefined : verifiers[format](bytes, pool, options);
}
