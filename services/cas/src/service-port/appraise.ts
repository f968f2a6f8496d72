import { guestConfigId, guestHostData, imageRegister, type GuestPurpose } from '@ensconce/measurement/guest';
import {
  attestationPolicy,
  type AppraisalVariant,
  type AttestationPolicy,
} from '@ensconce/policy/attestation';
import type { Service, Session } from '@ensconce/policy/session';
import { appraise, type Appraisal } from '@ensconce/verify/appraisal';
import type { SgxClaims } from '@ensconce/verify/sgx/claims';
import type { AppraisalPolicy } from '@ensconce/verify/policy';
import type { Range } from '@ensconce/verify/range';
import type { SgxIdentity } from '@ensconce/verify/sgx/policy';
import type { Verdict } from '@ensconce/verify/verdict';
import { CasError } from '../errors.ts';
import { checkLine } from './genuine.ts';

/** What the evidence must be about besides the code. */
export interface Exchange {
  /** What binds the evidence to the connection. */
  readonly reportData: Uint8Array;
  /** What a confidential VM must have been launched for. */
  readonly purpose: GuestPurpose;
}

type Rest = Omit<AppraisalPolicy, 'sgx' | 'tdx' | 'snp'>;

/**
 * Holds genuine evidence against the attestation policy of a service; returns an accepted appraisal or throws.
 */
export function appraiseService(
  session: Session,
  service: Service,
  verdict: Verdict,
  exchange: Exchange,
): Appraisal {
  const policy = attestationPolicy(session, service.name);
  if (policy.mode !== 'hardware' || policy.mustBeSgxLocal || policy.platforms !== undefined) {
    throw new CasError(
      'CAS_SERVICE_UNSUPPORTED',
      `service '${session.name}/${service.name}': attestation mode hardware without platforms and must_be_sgx_local expected`,
      {
        hint: 'this CAS attests every service by hardware evidence; leave mode, platforms and must_be_sgx_local out',
      },
    );
  }
  const rest: Rest = {
    acceptSimulation: policy.acceptSimulation,
    tolerate: [...policy.tolerate],
    ignoreAdvisories: policy.ignoreAdvisories === '*' ? '*' : [...policy.ignoreAdvisories],
    minimumTcbDate: policy.minimumTcbDate,
    gracePeriod: policy.gracePeriod,
    reportData: exchange.reportData,
  };
  if (verdict.tee !== 'sgx') return appraiseGuest(verdict, rest, policy, exchange.purpose);
  const platform = appraise(verdict, { ...rest, sgx: 'not-checked' });
  const [failure] = platform.failures;
  if (!platform.accepted) {
    throw untrustworthy(
      failure === undefined ? 'the evidence was not accepted' : checkLine(failure),
      failure?.hint,
    );
  }
  for (const variant of policy.variants) {
    const appraisal = satisfies(verdict, rest, variant);
    if (appraisal !== undefined) return appraisal;
  }
  throw untrustworthy(
    policy.variants.map((variant) => mismatch(verdict.claims as SgxClaims, variant)).join('; or ') ||
      'the policy admits no program',
    'list the measurement in the attestation of the service if this is the program you mean (ensconce session update)',
  );
}

/**
 * Holds a confidential VM against the guests that the session pins. Every register that pins one is compared: RTMR3, MRCONFIGID and HOST_DATA
 * follow from what it must have been launched for, the others stand in the session.
 */
function appraiseGuest(
  verdict: Verdict,
  rest: Rest,
  policy: AttestationPolicy,
  purpose: GuestPurpose,
): Appraisal {
  const admits = ({ image }: { readonly image: readonly string[] }): boolean =>
    image.includes(purpose.measurement);
  const tdx = policy.tdx.filter(admits).map(({ image: _image, ...pins }) => ({
    ...pins,
    rtmr3: imageRegister(purpose.measurement),
    mrconfigid: guestConfigId(purpose),
  }));
  const snp = policy.snp.filter(admits).map(({ image: _image, ...pins }) => ({
    ...pins,
    hostData: guestHostData(purpose),
    requireRevocationList: true,
  }));
  const appraisal = appraise(verdict, { ...rest, tdx, snp });
  if (appraisal.accepted) return appraisal;
  const [failure] = appraisal.failures;
  const none = (verdict.tee === 'tdx' ? tdx : snp).length === 0;
  throw untrustworthy(
    failure === undefined ? 'the evidence was not accepted' : checkLine(failure),
    none
      ? `pin guest and image under ensconce: ${verdict.tee} of the service if this is what you mean; image ${purpose.measurement} was found`
      : failure?.hint,
  );
}

/** The appraisal of a variant of which every factor holds. A variant without factors, or with one that is not resolved, holds for nothing. */
function satisfies(verdict: Verdict, rest: Rest, variant: AppraisalVariant): Appraisal | undefined {
  if (variant.unresolved !== undefined && variant.unresolved.length > 0) return undefined;
  const factors: SgxIdentity[][] = [];
  if (variant.mrenclave !== undefined) factors.push(variant.mrenclave.map((mrenclave) => ({ mrenclave })));
  if (variant.signer !== undefined) factors.push([signerIdentity(variant.signer)]);
  const appraisals = factors.map((sgx) => appraise(verdict, { ...rest, sgx }));
  return appraisals.every((appraisal) => appraisal.accepted) ? appraisals[0] : undefined;
}

const anyNumber: Range = { minimum: 0, maximum: 65_535 };

function signerIdentity(signer: NonNullable<AppraisalVariant['signer']>): SgxIdentity {
  const { mrsigner, isvprodid, isvsvnMin, isvsvnMax } = signer;
  return {
    mrsigner,
    isvprodid: isvprodid === undefined ? anyNumber : { minimum: isvprodid, maximum: isvprodid },
    isvsvn: { minimum: isvsvnMin ?? anyNumber.minimum, maximum: isvsvnMax ?? anyNumber.maximum },
  };
}

function mismatch(claims: SgxClaims, variant: AppraisalVariant): string {
  if (variant.unresolved !== undefined && variant.unresolved.length > 0) {
    return `${variant.unresolved.join(', ')} could not be resolved`;
  }
  const parts: string[] = [];
  if (variant.mrenclave !== undefined) {
    parts.push(
      `Unexpected enclave measurement (MRENCLAVE, ${claims.mrenclave}) - Expected ${variant.mrenclave.join(' or ')}`,
    );
  }
  if (variant.signer !== undefined) {
    const { mrsigner, isvprodid, isvsvnMin, isvsvnMax } = variant.signer;
    parts.push(
      `Unexpected enclave signer (MRSIGNER, ${claims.mrsigner}, ISVPRODID ${claims.isvprodid}, ISVSVN ${claims.isvsvn}) - ` +
        `Expected ${mrsigner}, ISVPRODID ${isvprodid ?? 'any'}, ISVSVN ${isvsvnMin ?? 0} to ${isvsvnMax ?? 'any'}`,
    );
  }
  return parts.join(' and ');
}

export function untrustworthy(reason: string, hint?: string): CasError {
  return new CasError('CAS_SERVICE_REFUSED', 'The program enclave is not trustworthy', {
    cause: new Error(reason),
    hint,
  });
}
