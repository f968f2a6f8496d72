import type { Decision } from '@ensconce/verify/appraisal';

/** Exit codes of `ensconce evidence verify`; wrong usage is 2, as everywhere. */
export const verdictExitCodes: Readonly<Record<Decision, number>> = {
  accepted: 0,
  'not-accepted': 10,
  'not-genuine': 11,
  undetermined: 12,
};

/** What a command leaves behind: text for stdout, remarks for stderr, and the exit code. */
export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}
