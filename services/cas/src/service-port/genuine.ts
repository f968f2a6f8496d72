import type { SgxClaims } from '@ensconce/verify/sgx/claims';
import type { SnpClaims } from '@ensconce/verify/snp/claims';
import type { TdxClaims } from '@ensconce/verify/tdx/claims';
import type { EvidenceFormat } from '@ensconce/wire/evidence-format';
import type { Check } from '@ensconce/verify/check';
import type { Verdict } from '@ensconce/verify/verdict';
import { CasError } from '../errors.ts';

/** One failed check as a line of a refusal. */
export const checkLine = (check: Check): string =>
  `${check.name}: ${check.expected} expected, ${check.found} found`;

/** Of evidence that this CAS can hold against a session. */
export type ServiceClaims = SgxClaims | TdxClaims | SnpClaims;

/** The claims of genuine evidence. What this refuses depends on the evidence alone, so anybody may be told. */
export function genuineClaims(verdict: Verdict, format: EvidenceFormat): ServiceClaims {
  const { claims } = verdict;
  if (verdict.outcome === 'genuine' && claims !== null && claims.tee !== 'nitro' && claims.tee === format)
    return claims;
  const [failure] = verdict.failures;
  const details = {
    cause: failure === undefined ? undefined : new Error(checkLine(failure)),
    hint: failure?.hint,
  };
  throw verdict.outcome === 'undetermined'
    ? new CasError('CAS_EVIDENCE_UNDECIDED', 'DCAP quote verification could not be completed', details)
    : new CasError('CAS_EVIDENCE_REFUSED', 'DCAP quote verification failed', details);
}
