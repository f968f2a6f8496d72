import { within, type Range } from '../range.ts';
import type { SgxClaims } from './claims.ts';

interface SgxEnclave {
  readonly mrenclave: string;
}
interface SgxSigner {
  readonly mrsigner: string;
  readonly isvprodid: Range;
  readonly isvsvn: Range;
}
/** Which code is accepted: one enclave, a signer's product within a range of versions, or both at once. Hexadecimal, 32 bytes. */
export type SgxIdentity = SgxEnclave | SgxSigner | (SgxEnclave & SgxSigner);

const same = (a: string, b: string): boolean => a.toLowerCase() === b;

/** What of `identity` the claims do not meet; empty where they meet all of it. */
export function sgxMismatches(claims: SgxClaims, identity: SgxIdentity): string[] {
  const enclave =
    'mrenclave' in identity && !same(identity.mrenclave, claims.mrenclave)
      ? [`mrenclave ${identity.mrenclave}`]
      : [];
  return 'mrsigner' in identity ? [...enclave, ...signerMismatches(claims, identity)] : enclave;
}

function signerMismatches(claims: SgxClaims, identity: SgxSigner): string[] {
  return [
    same(identity.mrsigner, claims.mrsigner) ? '' : `mrsigner ${identity.mrsigner}`,
    within(claims.isvprodid, identity.isvprodid)
      ? ''
      : `isvprodid ${identity.isvprodid.minimum} to ${identity.isvprodid.maximum}`,
    within(claims.isvsvn, identity.isvsvn)
      ? ''
      : `isvsvn ${identity.isvsvn.minimum} to ${identity.isvsvn.maximum}`,
  ].filter((text) => text !== '');
}

export function describeSgx(claims: SgxClaims): string {
  return `mrenclave ${claims.mrenclave}, mrsigner ${claims.mrsigner}, isvprodid ${claims.isvprodid}, isvsvn ${claims.isvsvn}`;
}
