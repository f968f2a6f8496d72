import type { AttestedEvidence } from '@ensconce/audit/event';
import type { Verdict } from '@ensconce/verify/verdict';
import type { ServiceClaims } from '../service-port/genuine.ts';

/** What the audit log says of genuine evidence, in the order in which it stands there; `image` is the image measurement. */
export function attestedEvidence(verdict: Verdict, claims: ServiceClaims, image: string): AttestedEvidence {
  const { code, signer } = codeOf(claims);
  return {
    advisories: [...verdict.advisories],
    code,
    debug: claims.debug,
    image,
    platform: platformOf(claims),
    signer,
    simulated: verdict.simulated,
    tcbDate: verdict.tcbDate,
    tcbStatus: verdict.tcbStatus,
    tee: claims.tee,
  };
}

/** What runs there, and who signed it. */
export function codeOf(claims: ServiceClaims): Pick<AttestedEvidence, 'code' | 'signer'> {
  switch (claims.tee) {
    case 'sgx':
      return { code: claims.mrenclave, signer: claims.mrsigner };
    case 'tdx':
      return { code: claims.mrtd, signer: null };
    case 'snp':
      return {
        code: claims.measurement,
        signer: /^0*$/.test(claims.idKeyDigest) ? null : claims.idKeyDigest,
      };
  }
}

function platformOf(claims: ServiceClaims): AttestedEvidence['platform'] {
  if (claims.tee === 'snp') return claims.chipId === null ? null : { id: claims.chipId, kind: 'chip' };
  return claims.platformInstanceId === null
    ? { id: claims.ppid, kind: 'ppid' }
    : { id: claims.platformInstanceId, kind: 'platform-instance' };
}
