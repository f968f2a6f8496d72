import type { FirmwareVersion } from '@ensconce/evidence/snp/body';
import type { SnpTcb } from '@ensconce/evidence/snp/tcb';
import type { SnpClaims } from './claims.ts';

/** Component-wise minimum; parts that are left out are not checked. */
export type MinimumTcb = { readonly [Part in keyof SnpTcb]?: number | undefined };

/**
 * Which guest is accepted. Measurement, host data and VMPL must be named: report data never stands for a measurement. Hexadecimal; 48 bytes for
 * measurement and key digests, 32 for host data, 16 for family and image id.
 */
export interface SnpIdentity {
  readonly measurement: string;
  readonly hostData: string;
  readonly vmpl: number;
  readonly idKeyDigest?: string | undefined;
  readonly authorKeyDigest?: string | undefined;
  readonly familyId?: string | undefined;
  readonly imageId?: string | undefined;
  readonly minimumGuestSvn?: number | undefined;
  /** AMD publishes no rating of TCB levels; this is the operator's own. Held against reported, committed, current and launch TCB. */
  readonly minimumTcb?: MinimumTcb | undefined;
  /** Refused unless allowed: a migration agent can move the guest. */
  readonly allowMigrationAgent?: boolean | undefined;
  /** Refused unless allowed: firmware that can still be rolled back. */
  readonly allowProvisionalFirmware?: boolean | undefined;
  readonly requireRevocationList?: boolean | undefined;
  readonly requireAliasCheck?: boolean | undefined;
  readonly requireSmtDisabled?: boolean | undefined;
}

const parts = ['fmc', 'bootloader', 'tee', 'snp', 'microcode'] as const;
const texts = ['measurement', 'hostData', 'idKeyDigest', 'authorKeyDigest', 'familyId', 'imageId'] as const;

const reaches = (have: SnpTcb, want: MinimumTcb): boolean =>
  parts.every((part) => (have[part] ?? 0) >= (want[part] ?? 0));

const order = ['major', 'minor', 'build'] as const;

function isNewer(one: FirmwareVersion, other: FirmwareVersion): boolean {
  const part = order.find((name) => one[name] !== other[name]);
  return part !== undefined && one[part] > other[part];
}

function tcbMismatches(claims: SnpClaims, identity: SnpIdentity): string[] {
  const { current, committed, reported, launch } = claims.tcb;
  const wrong: string[] = [];
  const minimum = identity.minimumTcb;
  if (minimum !== undefined) {
    for (const [name, tcb] of Object.entries({ reported, committed, current, launch })) {
      if (!reaches(tcb, minimum)) wrong.push(`a ${name} TCB of at least ${JSON.stringify(minimum)}`);
    }
  }
  if (!reaches(current, committed) || !reaches(current, reported))
    wrong.push('a committed and reported TCB no higher than the current one');
  const { currentFirmware, committedFirmware } = claims;
  const rolls = !reaches(committed, current) || isNewer(currentFirmware, committedFirmware);
  if (identity.allowProvisionalFirmware !== true && rolls)
    wrong.push('committed firmware (its TCB or version is below the current one)');
  if (isNewer(committedFirmware, currentFirmware))
    wrong.push('a committed firmware no newer than the current one');
  return wrong;
}

/** What of `identity` the claims do not meet; empty where they meet all of it. */
export function snpMismatches(claims: SnpClaims, identity: SnpIdentity): string[] {
  const wrong: string[] = [];
  for (const name of texts) {
    const wanted = identity[name];
    if (wanted !== undefined && wanted.toLowerCase() !== claims[name]) wrong.push(`${name} ${wanted}`);
  }
  if (identity.vmpl !== claims.vmpl) wrong.push(`vmpl ${identity.vmpl}`);
  if (claims.guestSvn < (identity.minimumGuestSvn ?? 0))
    wrong.push(`a guest SVN of at least ${identity.minimumGuestSvn}`);
  if (claims.policy.migrateMa && identity.allowMigrationAgent !== true)
    wrong.push('a guest that no agent can migrate');
  if (identity.requireRevocationList === true && !claims.revocationChecked)
    wrong.push('a valid revocation list');
  if (identity.requireAliasCheck === true && !claims.platformInfo.aliasCheckComplete)
    wrong.push('a platform that checked its memory for aliases');
  if (identity.requireSmtDisabled === true && claims.platformInfo.smtEnabled)
    wrong.push('a platform without SMT');
  return [...wrong, ...tcbMismatches(claims, identity)];
}

export function describeSnp(claims: SnpClaims): string {
  return `measurement ${claims.measurement}, hostData ${claims.hostData}, vmpl ${claims.vmpl}, reported TCB ${JSON.stringify(claims.tcb.reported)}`;
}
