import { evaluated, unsupported, type Evaluation } from '../intel/evaluate.ts';
import {
  converge,
  firstMissed,
  newestOf,
  type LevelMatch,
  type TcbJudgement,
  type TcbStatus,
} from '../intel/status.ts';
import { findShortfall, quotingEnclave, tdxModule, type Versioned } from '../intel/shortfall.ts';
import { selectIsvLevel, selectTcbLevel } from '../intel/tcb-level.ts';
import type { Pairing } from '../intel/pairing.ts';
import type { ModuleIdentity } from './module.ts';

interface Part {
  readonly platform: LevelMatch | null;
  readonly module: LevelMatch | null;
  /** Null where no level fits. */
  readonly status: TcbStatus | null;
}

/** One TEE_TCB_SVN with its module. */
export interface TdTcb {
  readonly svn: Uint8Array;
  readonly module: ModuleIdentity;
}

function evaluatePart({ chain, prepared }: Pairing, qe: LevelMatch | null, tcb: TdTcb): Part {
  const platform = selectTcbLevel(prepared.tcbInfo, chain.pck, tcb.svn);
  const { versioned } = tcb.module;
  const module = versioned === undefined ? null : selectIsvLevel(versioned.levels, tcb.svn[0] ?? 0);
  if (platform === null || qe === null || (versioned !== undefined && module === null))
    return { platform, module, status: null };
  const components = module === null ? [qe.status] : [qe.status, module.status];
  return { platform, module, status: converge(platform.status, components) };
}

const outdated: readonly (TcbStatus | null)[] = ['OutOfDate', 'OutOfDateConfigurationNeeded'];
const good: readonly (TcbStatus | null)[] = [
  'UpToDate',
  'SWHardeningNeeded',
  'ConfigurationNeeded',
  'ConfigurationAndSWHardeningNeeded',
];

/** A TD that was launched before the module's update carries the old TCB until it is launched again (Intel QVL, TDRelaunchCheck). */
export function relaunchStatus(launch: TcbStatus, current: TcbStatus): TcbStatus {
  if (!outdated.includes(launch) || !good.includes(current)) return launch;
  const configuration = [launch, current].some((status) => status.includes('Configuration'));
  return configuration ? 'TDRelaunchAdvisedConfigurationNeeded' : 'TDRelaunchAdvised';
}

function moduleOf({ svn, module: { versioned } }: TdTcb): Versioned[] {
  return versioned === undefined ? [] : [tdxModule(versioned.id, svn[0] ?? 0, versioned.levels)];
}

/** Rates a TD by its launch TCB and, where the body has one, by the current TCB. */
export function evaluateTd(
  pairing: Pairing,
  qeSvn: number,
  launch: TdTcb,
  current: TdTcb | null,
): Evaluation {
  const qe = selectIsvLevel(pairing.prepared.qeIdentity.levels, qeSvn);
  const atLaunch = evaluatePart(pairing, qe, launch);
  const now = current === null ? null : evaluatePart(pairing, qe, current);
  const tcb: TcbJudgement = {
    evaluationDataNumber: pairing.prepared.tcbInfo.evaluationDataNumber,
    newestDate: newestOf(
      pairing.prepared.tcbInfo.levels,
      pairing.prepared.qeIdentity.levels,
      launch.module.versioned?.levels ?? [],
    ),
    missedDate: firstMissed(
      [pairing.prepared.tcbInfo.levels, atLaunch.platform],
      [pairing.prepared.qeIdentity.levels, qe],
      [launch.module.versioned?.levels ?? [], atLaunch.module],
    ),
    shortfall: findShortfall(
      pairing.prepared.tcbInfo,
      pairing.chain.pck,
      [...moduleOf(launch), quotingEnclave(qeSvn, pairing.prepared.qeIdentity.levels)],
      launch.svn,
    ),
    platform: atLaunch.platform,
    qe,
    module:
      atLaunch.module === null ? null : { ...atLaunch.module, id: launch.module.versioned?.id ?? 'TDX' },
    launch: atLaunch.status ?? 'TcbNotSupported',
    current: now === null ? null : (now.status ?? 'TcbNotSupported'),
  };
  if (atLaunch.status === null || (now !== null && now.status === null)) return unsupported(tcb);
  const status =
    now === null || now.status === null ? atLaunch.status : relaunchStatus(atLaunch.status, now.status);
  const matches = [atLaunch.platform, qe, atLaunch.module].filter((match) => match !== null);
  return evaluated(status, matches, tcb);
}
