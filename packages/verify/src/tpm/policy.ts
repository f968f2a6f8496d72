import type { TpmClaims } from './claims.ts';

/** Which machine is accepted: at least one PCR of the bank that was quoted must be named, by its index. Hexadecimal. */
export interface TpmIdentity {
  readonly pcrs: Readonly<Record<string, string>>;
}

/** What of `identity` the claims do not meet; empty where they meet all of it. */
export function tpmMismatches(claims: TpmClaims, identity: TpmIdentity): string[] {
  const wanted = Object.entries(identity.pcrs);
  if (wanted.length === 0) return ['at least one PCR'];
  return wanted.flatMap(([index, value]) =>
    claims.pcrs[index] === value.toLowerCase() ? [] : [`pcr${index} ${value}`],
  );
}

export function describeTpm(claims: TpmClaims): string {
  return Object.entries(claims.pcrs)
    .map(([index, value]) => `pcr${index} ${value}`)
    .join(', ');
}
