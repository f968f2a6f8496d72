import { describeNitro, nitroMismatches } from './nitro/policy.ts';
import { describeSgx, sgxMismatches } from './sgx/policy.ts';
import { describeSnp, snpMismatches } from './snp/policy.ts';
import { describeTdx, tdxMismatches } from './tdx/policy.ts';
import { describeTpm, tpmMismatches } from './tpm/policy.ts';
import type { AppraisalPolicy } from './policy.ts';
import type { Claims } from './claims.ts';

/** How claims stand to the identities that a policy lists for their TEE. */
export interface IdentityMatch {
  /** The mismatches with each listed identity; one empty list is enough. */
  readonly mismatches: readonly (readonly string[])[];
  /** What the evidence says, in the policy's words. */
  readonly found: string;
}

/** The policy's list for the TEE of the claims; undefined where the policy does not name the TEE at all. */
export function identitiesFor(
  claims: Claims,
  policy: AppraisalPolicy,
): readonly unknown[] | 'not-checked' | undefined {
  return policy[claims.tee];
}

function over<T>(
  list: readonly T[] | 'not-checked' | undefined,
  mismatches: (identity: T) => string[],
): string[][] {
  return list === undefined || list === 'not-checked' ? [] : list.map((identity) => mismatches(identity));
}

export function matchIdentities(claims: Claims, policy: AppraisalPolicy): IdentityMatch {
  switch (claims.tee) {
    case 'sgx':
      return {
        mismatches: over(policy.sgx, (one) => sgxMismatches(claims, one)),
        found: describeSgx(claims),
      };
    case 'tdx':
      return {
        mismatches: over(policy.tdx, (one) => tdxMismatches(claims, one)),
        found: describeTdx(claims),
      };
    case 'snp':
      return {
        mismatches: over(policy.snp, (one) => snpMismatches(claims, one)),
        found: describeSnp(claims),
      };
    case 'nitro':
      return {
        mismatches: over(policy.nitro, (one) => nitroMismatches(claims, one)),
        found: describeNitro(claims),
      };
    case 'tpm':
      return {
        mismatches: over(policy.tpm, (one) => tpmMismatches(claims, one)),
        found: describeTpm(claims),
      };
  }
}

/** The ids by which policies pin a machine, as its vendor certified them; empty where the evidence shows none. */
export function platformsOf(claims: Claims): readonly string[] {
  if (claims.tee === 'nitro') return [];
  if (claims.tee === 'tpm') return [claims.attestationKey];
  if (claims.tee === 'snp') return claims.chipId === null ? [] : [claims.chipId];
  return [...new Set([claims.platformId, claims.ppid])];
}

/** The id of the quoting enclave; null where the evidence is not of Intel's. */
export function quotingEnclaveOf(claims: Claims): string | null {
  return claims.tee === 'sgx' || claims.tee === 'tdx' ? claims.qeId : null;
}

/** What the evidence was asked to carry, hexadecimal: its report data, or with a vTPM the nonce of the TPM quote. */
export function boundDataOf(claims: Claims): string {
  return 'vtpm' in claims && claims.vtpm !== null ? (claims.vtpm.tpm?.nonce ?? '') : claims.reportData;
}
