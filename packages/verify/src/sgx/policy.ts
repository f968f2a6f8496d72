import { within, type Range } from '../range.ts';
import type { SgxClaims } from './claims.ts';

/** Which code is accepted: one enclave, or a signer's product within a range of versions. Hexadecimal, 32 bytes. */
export type SgxIdentity =
  | { readonly mrenclave: string }
  | { readonly mrsigner: string; readonly isvprodid: Range; readonly isvsvn: Range };

const same = (a: string, b: string): boolean => a.toLowerCase() === b;

/** What of `identity` the claims do not meet; empty where they meet all of it. */
export function sgxMismatches(claims: SgxClaims, identity: SgxIdentity): string[] {
  if ('mrenclave' in identity) {
    return same(identity.mrenclave, claims.mrenclave) ? [] : [`mrenclave ${identity.mrenclave}`];
  }
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
