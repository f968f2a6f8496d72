import type { Shortfall } from './shortfall.ts';

/** What Intel's TCB information can say of a level. */
export const intelStatuses = [
  'UpToDate',
  'SWHardeningNeeded',
  'ConfigurationNeeded',
  'ConfigurationAndSWHardeningNeeded',
  'OutOfDate',
  'OutOfDateConfigurationNeeded',
  'Revoked',
] as const;
export type IntelStatus = (typeof intelStatuses)[number];

/** Also what follows from a level: advice after an update of the TDX module, and that no level fits. */
export type TcbStatus =
  | IntelStatus
  | 'TDRelaunchAdvised'
  | 'TDRelaunchAdvisedConfigurationNeeded'
  | 'TcbNotSupported';

/** One matched level. */
export interface LevelMatch {
  readonly status: IntelStatus;
  /** ISO 8601. */
  readonly date: string;
  readonly advisories: readonly string[];
}

/** How Intel's status came about. A part that matched no level is null. */
export interface TcbJudgement {
  readonly evaluationDataNumber: number;
  /** When the newest level of the platform, the quoting enclave or the module was published, ISO 8601. */
  readonly newestDate: string;
  /** When the first level that the platform, the quoting enclave or the module lacks was published, ISO 8601; null where none lacks one. */
  readonly missedDate: string | null;
  /** Why the platform misses the newest level: the first SVN below it, and what to do; null where it does not. */
  readonly shortfall: Shortfall | null;
  readonly platform: LevelMatch | null;
  readonly qe: LevelMatch | null;
  /** TDX only, where the module has an identity of its own. */
  readonly module: (LevelMatch & { readonly id: string }) | null;
  /** TDX 1.5: status with the TCB at launch and with the current one. */
  readonly launch: TcbStatus | null;
  readonly current: TcbStatus | null;
}

const outOfDateWith: Readonly<Partial<Record<IntelStatus, IntelStatus>>> = {
  UpToDate: 'OutOfDate',
  SWHardeningNeeded: 'OutOfDate',
  ConfigurationNeeded: 'OutOfDateConfigurationNeeded',
  ConfigurationAndSWHardeningNeeded: 'OutOfDateConfigurationNeeded',
};

/** Joins the platform's status with those of its components, the quoting enclave and the TDX module (Intel QVL, TCB convergence). */
export function converge(platform: IntelStatus, components: readonly IntelStatus[]): IntelStatus {
  if (components.includes('Revoked')) return 'Revoked';
  if (components.includes('OutOfDate')) return outOfDateWith[platform] ?? platform;
  return platform;
}

/** All matches in one: earliest date, all advisories sorted. */
export function joinMatches(matches: readonly LevelMatch[]): { date: string; advisories: string[] } {
  const dates = matches.map((match) => match.date).sort();
  return {
    date: dates[0] ?? '',
    advisories: [...new Set(matches.flatMap((match) => match.advisories))].sort(),
  };
}

/** The earliest date of a level that is newer than the one that matched in its list; null where there is none. */
export function firstMissed(
  ...lists: readonly (readonly [readonly { readonly date: string }[], { readonly date: string } | null])[]
): string | null {
  const missed = lists.flatMap(([levels, match]) =>
    match === null
      ? []
      : levels.map(({ date }) => date).filter((date) => Date.parse(date) > Date.parse(match.date)),
  );
  return missed.sort((a, b) => Date.parse(a) - Date.parse(b))[0] ?? null;
}

/** The latest of the dates at which the highest levels were published. */
export function newestOf(...levels: readonly (readonly { readonly date: string }[])[]): string {
  const dates = levels.map((list) => list[0]?.date ?? '').sort();
  return dates.at(-1) ?? '';
}
