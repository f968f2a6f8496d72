import { writeSync } from 'node:fs';
import { causeChain, EnsconceError, hintOf } from '@ensconce/base/errors';
import { logLevels, type LogLevel } from './host-settings.ts';

export type Log = (level: LogLevel, message: string) => void;

/** Standard error is the host's; that it is full, or closed, must not end what runs here. */
export function writeLine(line: string): void {
  try {
    writeSync(2, `${line}\n`);
  } catch {
    // There is nobody left to tell.
  }
}

/** Lines on standard error in SCONE's manner. Nothing that CAS delivered is ever passed in, at any level. */
export function makeLog(threshold: LogLevel): Log {
  const limit = logLevels.indexOf(threshold);
  return (level, message) => {
    if (logLevels.indexOf(level) <= limit) writeLine(`[ENSCONCE|${level}] ${message}`);
  };
}

/** The last words of a start that failed: one line of what happened, the causes, what to do. */
export function describeFailure(error: unknown): string {
  const [first, ...causes] = causeChain(error);
  const code = error instanceof EnsconceError ? ` (${error.code})` : '';
  const hint = hintOf(error);
  return [
    `[ENSCONCE|FATAL] ${first}${code}`,
    ...causes.map((cause) => `  Caused by: ${cause}`),
    ...(hint ? [`hint: ${hint}`] : []),
  ].join('\n');
}
