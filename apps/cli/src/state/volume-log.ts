import { spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import type { Writable } from 'node:stream';

export interface BackgroundLog {
  readonly write: (line: string) => void;
  readonly close: () => void;
}

/** Where a server in the background writes its log: a file, or else the system's log by logger(1). */
export function backgroundLog(file: string | undefined, now: () => Date): BackgroundLog {
  if (file !== undefined) {
    return {
      write: (line) => appendFileSync(file, `${now().toISOString()} ${line}\n`, { mode: 0o600 }),
      close: () => undefined,
    };
  }
  let input: Writable | undefined;
  const open = (): Writable => {
    const logger = spawn('logger', ['-t', 'ensconce-volume', '-p', 'daemon.warning'], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    // Without a system log there is nobody to tell; the mount goes on.
    logger.on('error', () => undefined);
    logger.stdin.on('error', () => undefined);
    return logger.stdin;
  };
  return {
    write: (line) => void (input ??= open()).write(`${line}\n`),
    close: () => input?.end(),
  };
}
