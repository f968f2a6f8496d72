import type { NitroClaims } from './claims.ts';

/** Which enclave is accepted: the image, its kernel and its application must be named. Hexadecimal, 48 bytes. */
export interface NitroIdentity {
  readonly pcr0: string;
  readonly pcr1: string;
  readonly pcr2: string;
  /** Hash of the parent's IAM role, of the parent's instance id, of the signing certificate. */
  readonly pcr3?: string | undefined;
  readonly pcr4?: string | undefined;
  readonly pcr8?: string | undefined;
}

const names = ['pcr0', 'pcr1', 'pcr2', 'pcr3', 'pcr4', 'pcr8'] as const;

/** What of `identity` the claims do not meet; empty where they meet all of it. */
export function nitroMismatches(claims: NitroClaims, identity: NitroIdentity): string[] {
  return names.flatMap((name) => {
    const wanted = identity[name]?.toLowerCase();
    const found = claims.pcrs[name.slice(3)] ?? '0'.repeat(96);
    return wanted === undefined || wanted === found ? [] : [`${name} ${wanted}`];
  });
}

export function describeNitro(claims: NitroClaims): string {
  return Object.entries(claims.pcrs)
    .map(([index, value]) => `pcr${index} ${value}`)
    .join(', ');
}
