/** AMD's certificates and revocation lists, DER, in any order; untrusted until verified. Some of them may belong to other machines. */
export interface AmdCollateral {
  /** VCEK or VLEK, ASK or ASVK, ARK. */
  readonly certificates: readonly Uint8Array[];
  /** Signed by the ARK. */
  readonly revocationLists: readonly Uint8Array[];
}

/** A verifier never looks at more than this many of either. */
export const collateralLimit = 64;
