import type { CommandResult } from '@ensconce/evidence-report/exit-code';
import { ExitStatus } from '../exit-codes.ts';
import type { Io } from '../io.ts';

/** Hands on what a command left behind: its output, its remarks and its exit code. */
export function finish(io: Io, result: CommandResult): void {
  io.stdout(result.stdout);
  io.stderr(result.stderr);
  if (result.exitCode !== 0) throw new ExitStatus(result.exitCode);
}
