import { servicePolicy, type Exchange, type ServicePolicy } from '@ensconce/policy/attestation';
import type { ResolvedTerms } from '@ensconce/policy/start-terms';
import { appraise, type Appraisal } from '@ensconce/verify/appraisal';
import type { Check } from '@ensconce/verify/check';
import type { SgxClaims } from '@ensconce/verify/sgx/claims';
import type { AppraisalPolicy } from '@ensconce/verify/policy';
import type { SgxIdentity } from '@ensconce/verify/sgx/policy';
import type { Verdict } from '@ensconce/verify/verdict';
import { CasError } from '../errors.ts';
import { checkLine } from './genuine.ts';
import type { InsecurePermissions } from './permissions.ts';

export interface Appraised {
  /** Accepted. */
  readonly appraisal: Appraisal;
  readonly policy: ServicePolicy;
}

/** Holds genuine evidence against the attestation policy of a service; what it returns is accepted. */
export function appraiseService(
  resolved: ResolvedTerms,
  service: string,
  verdict: Verdict,
  exchange: Exchange,
  permissions: InsecurePermissions,
): Appraised {
  const policy = servicePolicy(resolved.session, service, exchange);
  if (policy.mode === 'none') {
    throw new CasError(
      'CAS_SERVICE_UNSUPPORTED',
      `service '${resolved.session.name}/${service}': attestation mode hardware expected, none found: this CAS asks everybody for evidence`,
      {
        hint: 'leave mode out, or start CAS with --insecure-accept-mode-none, which gives secrets to anybody',
      },
    );
  }
  const appraisal = appraise(verdict, permitted(policy.appraisal, permissions));
  if (appraisal.accepted) return { appraisal, policy };
  const [failure] = appraisal.failures;
  if (failure === undefined) throw untrustworthy('the evidence was not accepted');
  const { reason, hint } = explain(failure, verdict, resolved, policy, exchange);
  throw untrustworthy(reason, hint);
}

function permitted(policy: AppraisalPolicy, permissions: InsecurePermissions): AppraisalPolicy {
  if (permissions.debugMode) return policy;
  return { ...policy, tolerate: policy.tolerate.filter((name) => name !== 'debug-mode') };
}

interface Explained {
  readonly reason: string;
  readonly hint: string | undefined;
}

/** Why evidence was refused, and what to do. */
function explain(
  failure: Check,
  verdict: Verdict,
  { unresolved }: ResolvedTerms,
  policy: ServicePolicy,
  exchange: Exchange,
): Explained {
  const missing = unresolved.filter((text) => policy.unresolved.some((one) => text.startsWith(`${one}:`)));
  const because = missing.length === 0 ? '' : `; not resolved: ${missing.join(', ')}`;
  const { tee, claims } = verdict;
  if (failure.name === 'code is accepted') {
    if (claims?.tee === 'sgx') {
      return {
        reason: `${mismatch(claims, policy.appraisal.sgx)}${because}`,
        hint: 'list the measurement in the attestation of the service if this is the program you mean (ensconce session update)',
      };
    }
    const pinned = policy.appraisal[tee]?.length ?? 0;
    return {
      reason: `${checkLine(failure)}${because}`,
      hint:
        pinned === 0
          ? `pin guest and image under ensconce: ${tee} of the service if this is what you mean${imageIn(exchange)}`
          : failure.hint,
    };
  }
  if (failure.name === 'platform is accepted' && policy.mustBeSgxLocal) {
    return {
      reason: `must_be_sgx_local: ${checkLine(failure)}`,
      hint: 'start the service on the machine of CAS, or leave must_be_sgx_local out and pin machines under ensconce: platforms',
    };
  }
  const forbidden = failure.name === 'debug mode is off' && policy.appraisal.tolerate.includes('debug-mode');
  return {
    reason: `${checkLine(failure)}${because}`,
    hint: forbidden
      ? 'debug-mode counts only at a CAS that was started with --insecure-accept-debug'
      : failure.hint,
  };
}

const imageIn = ({ measurement }: Exchange): string =>
  measurement === undefined ? '' : `; image ${measurement} was found`;

/** In SCONE's words. */
function mismatch(claims: SgxClaims, accepted: AppraisalPolicy['sgx']): string {
  const identities = accepted === undefined || accepted === 'not-checked' ? [] : accepted;
  if (identities.length === 0)
    return `Unexpected enclave (MRENCLAVE, ${claims.mrenclave}): the policy admits no program`;
  const enclaves = identities.flatMap((one) =>
    'mrenclave' in one && !('mrsigner' in one) ? [one.mrenclave] : [],
  );
  const others = identities.filter((one) => 'mrsigner' in one);
  return [
    ...(enclaves.length === 0
      ? []
      : [
          `Unexpected enclave measurement (MRENCLAVE, ${claims.mrenclave}) - Expected ${enclaves.join(' or ')}`,
        ]),
    ...others.map((one) => signerMismatch(claims, one)),
  ].join('; or ');
}

function signerMismatch(claims: SgxClaims, identity: Extract<SgxIdentity, { mrsigner: string }>): string {
  const { mrsigner, isvprodid, isvsvn } = identity;
  const enclave =
    'mrenclave' in identity
      ? `Unexpected enclave measurement (MRENCLAVE, ${claims.mrenclave}) - Expected ${identity.mrenclave} and `
      : '';
  return (
    `${enclave}Unexpected enclave signer (MRSIGNER, ${claims.mrsigner}, ISVPRODID ${claims.isvprodid}, ISVSVN ${claims.isvsvn}) - ` +
    `Expected ${mrsigner}, ISVPRODID ${isvprodid.minimum} to ${isvprodid.maximum}, ISVSVN ${isvsvn.minimum} to ${isvsvn.maximum}`
  );
}

export function untrustworthy(reason: string, hint?: string): CasError {
  return new CasError('CAS_SERVICE_REFUSED', 'The program enclave is not trustworthy', {
    cause: new Error(reason),
    hint,
  });
}
