import * as v from 'valibot';

/**
 * In whose format evidence is: an SGX or TDX quote of Intel's, or an SEV-SNP report of AMD's. Which hardware made it, real
 * or simulated, is for the verifier to find out.
 */
export const evidenceFormat = v.picklist(['sgx', 'tdx', 'snp']);
export type EvidenceFormat = v.InferOutput<typeof evidenceFormat>;
