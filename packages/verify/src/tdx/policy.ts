import type { TdxClaims } from './claims.ts';

/**
 * Which TD is accepted. The measurements that pin the guest must all be named: report data never stands for a measurement. Hexadecimal,
 * 48 bytes each.
 */
export interface TdxIdentity {
  readonly mrtd: string;
  readonly rtmr0: string;
  readonly rtmr1: string;
  readonly rtmr2: string;
  readonly rtmr3: string;
  readonly mrconfigid?: string | undefined;
  readonly mrowner?: string | undefined;
  readonly mrownerconfig?: string | undefined;
  readonly mrseam?: string | undefined;
  /** Zero unless named: a service TD can migrate the guest. */
  readonly mrservicetd?: string | undefined;
  /** True by default: without it the host can inject exceptions into the guest. */
  readonly requireSeptVeDisable?: boolean | undefined;
}

const pins = ['mrtd', 'rtmr0', 'rtmr1', 'rtmr2', 'rtmr3'] as const;
const optional = ['mrconfigid', 'mrowner', 'mrownerconfig', 'mrseam'] as const;
const none = '0'.repeat(96);

/** What of `identity` the claims do not meet; empty where they meet all of it. */
export function tdxMismatches(claims: TdxClaims, identity: TdxIdentity): string[] {
  const wrong: string[] = pins
    .filter((name) => identity[name].toLowerCase() !== claims[name])
    .map((name) => `${name} ${identity[name]}`);
  for (const name of optional) {
    const wanted = identity[name];
    if (wanted !== undefined && wanted.toLowerCase() !== claims[name]) wrong.push(`${name} ${wanted}`);
  }
  const service = (identity.mrservicetd ?? none).toLowerCase();
  if ((claims.mrservicetd ?? none) !== service) wrong.push(`mrservicetd ${service}`);
  if (claims.migratable && service === none) wrong.push('a TD that cannot be migrated');
  if ((identity.requireSeptVeDisable ?? true) && !claims.septVeDisable) wrong.push('SEPT_VE_DISABLE set');
  return wrong;
}

export function describeTdx(claims: TdxClaims): string {
  return [...pins, ...optional].map((name) => `${name} ${claims[name]}`).join(', ');
}
