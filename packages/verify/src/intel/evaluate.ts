import { joinMatches, type LevelMatch, type TcbJudgement, type TcbStatus } from './status.ts';

/** The TCB of genuine evidence, as Intel's published levels rate it. */
export interface Evaluation {
  readonly status: TcbStatus;
  readonly date: string | null;
  readonly advisories: readonly string[];
  readonly tcb: TcbJudgement;
}

/** No level fits: neither date nor advisories mean anything then. */
export function unsupported(tcb: TcbJudgement): Evaluation {
  return { status: 'TcbNotSupported', date: null, advisories: [], tcb };
}

export function evaluated(status: TcbStatus, matches: readonly LevelMatch[], tcb: TcbJudgement): Evaluation {
  return { status, tcb, ...joinMatches(matches) };
}
