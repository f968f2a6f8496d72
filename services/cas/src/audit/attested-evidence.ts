import type { AttestedEvidence } from '@ensconce/audit/event';
import type { Verdict } from '@ensconce/verify/verdict';
import type { ServiceClaims } from '../service-port/genuine.ts';

/** What the audit log says of genuine evidence; `image` is the image measurement. */
export function attestedEvidence(verdict: Verdict, claims: ServiceClaims, image: string): AttestedEvidence {
  return {
    tee: claims.tee,
    simulated: verdict.simulated,
    debug: claims.debug,
    image,
    ...codeOf(claims),
    platform: platformOf(claims),
    tcbStatus: verdict.tcbStatus,
    tcbDate: verdict.tcbDate,
    advisories: [...verdict.advisories],
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
  if (claims.tee === 'snp') return claims.chipId === null ? null : { kind: 'chip', id: claims.chipId };
  return claims.platformInstanceId === null
    ? { kind: 'ppid', id: claims.ppid }
    : { kind: 'platform-instance', id: claims.platformInstanceId };
}
