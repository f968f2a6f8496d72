import type { SgxClaims } from '@ensconce/verify/sgx/claims';
import type { Check } from '@ensconce/verify/check';
import type { Verdict } from '@ensconce/verify/verdict';
import { CasError } from '../errors.ts';

/** One failed check as a line of a refusal. */
export const checkLine = (check: Check): string =>
  `${check.name}: ${check.expected} expected, ${check.found} found`;

/** The claims of genuine evidence. What this refuses depends on the evidence alone, so anybody may be told. */
export function genuineClaims(verdict: Verdict): SgxClaims {
  if (verdict.outcome === 'genuine' && verdict.claims?.tee === 'sgx') return verdict.claims;
  const [failure] = verdict.failures;
  const details = {
    cause: failure === undefined ? undefined : new Error(checkLine(failure)),
    hint: failure?.hint,
  };
  throw verdict.outcome === 'undetermined'
    ? new CasError('CAS_EVIDENCE_UNDECIDED', 'DCAP quote verification could not be completed', details)
    : new CasError('CAS_EVIDENCE_REFUSED', 'DCAP quote verification failed', details);
}
