import type { IsvLevel, TcbInfo } from './tcb-info.ts';
import type { LevelMatch } from './status.ts';
import type { Pck } from './pck.ts';

const reaches = (have: ArrayLike<number>, want: readonly number[], from = 0): boolean =>
  want.every((svn, i) => i < from || (have[i] ?? 0) >= svn);

/**
 * The highest level whose every component the platform reaches, or null. `tdx` is the TEE_TCB_SVN of a TD; where its byte 1 (major version of
 * the module) is not zero, bytes 0 and 1 belong to the module's own identity and are left out here.
 */
export function selectTcbLevel(info: TcbInfo, pck: Pck, tdx?: Uint8Array): LevelMatch | null {
  const from = tdx !== undefined && (tdx[1] ?? 0) > 0 ? 2 : 0;
  for (const level of info.levels) {
    if (!reaches(pck.components, level.sgx) || pck.pceSvn < level.pceSvn) continue;
    if (tdx !== undefined && (level.tdx === undefined || !reaches(tdx, level.tdx, from))) continue;
    return { status: level.status, date: level.date, advisories: level.advisories };
  }
  return null;
}

/** The first level at or below `svn`, or null. */
export function selectIsvLevel(levels: readonly IsvLevel[], svn: number): LevelMatch | null {
  const level = levels.find((candidate) => svn >= candidate.isvSvn);
  return level === undefined
    ? null
    : { status: level.status, date: level.date, advisories: level.advisories };
}
