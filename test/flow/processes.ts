/** Child processes of the end-to-end tests: none of them outlives the test, however it ends. */
import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { Buffer } from 'node:buffer';
import { setTimeout as sleep } from 'node:timers/promises';

/** What a process that came to its end left. */
export interface Finished {
  /** Exit status; 128 + signal number where a signal ended it, as a shell has it. */
  readonly status: number;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  /** Standard output as text. */
  readonly text: string;
  /** Standard error as text. */
  readonly errors: string;
}

/** A process that runs, with what it wrote so far. */
export interface Running {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly errors: () => string;
  /** Resolves once standard output and error together match, rejects after `timeout` ms or where the process ended before. */
  until(pattern: RegExp, timeout?: number): Promise<RegExpExecArray>;
  readonly finished: Promise<Finished>;
}

const alive = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});
// Ctrl-C and the test runner's own time-out end this process; then, too, what listens to `exit` tidies up.
for (const [signal, status] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)
  process.once(signal, () => process.exit(status));

const signalNumbers: Readonly<Record<string, number>> = { SIGTERM: 15, SIGKILL: 9, SIGINT: 2, SIGHUP: 1 };

export interface StartOptions {
  readonly stdin?: string | Buffer | undefined;
  /** Leaves standard input open, for `child.stdin`. */
  readonly open?: boolean | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly cwd?: string | undefined;
  /** Milliseconds until it is killed and `finished` rejects (default 60 000). */
  readonly timeout?: number | undefined;
  /** Called before it is killed because of its time-out. */
  readonly onTimeout?: (() => void) | undefined;
}

/** Starts a program; its standard input is what `stdin` says (default: nothing). */
export function start(program: string, args: readonly string[], options: StartOptions = {}): Running {
  const stdio: StdioOptions = ['pipe', 'pipe', 'pipe'];
  const child = spawn(program, [...args], {
    stdio,
    cwd: options.cwd,
    ...(options.env && { env: { PATH: process.env['PATH'] ?? '', ...options.env } }),
  });
  alive.add(child);
  const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
  child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk));
  // A program that does not read its stdin closes it early.
  child.stdin?.on('error', () => undefined);
  if (options.open !== true) child.stdin?.end(options.stdin ?? '');
  const timeout = options.timeout ?? 60_000;
  let timedOut = false;
  let ended = false;
  const timer = setTimeout(() => {
    timedOut = true;
    options.onTimeout?.();
    setTimeout(() => child.kill('SIGKILL'), 2000).unref();
  }, timeout);
  const output = (): string => Buffer.concat(stdout).toString();
  const errors = (): string => Buffer.concat(stderr).toString();
  const finished = new Promise<Finished>((resolve, reject) => {
    child.once('error', (cause) => {
      ended = true;
      reject(new Error(`${program}: a program that starts expected`, { cause }));
    });
    child.once('close', (code, signal) => {
      ended = true;
      clearTimeout(timer);
      alive.delete(child);
      if (timedOut) {
        reject(
          new Error(
            `${program} ${args.join(' ')}: an end within ${timeout} ms expected\n${output()}\n${errors()}`,
          ),
        );
        return;
      }
      resolve({
        status: code ?? 128 + (signalNumbers[signal ?? ''] ?? 0),
        stdout: Buffer.concat(stdout),
        stderr: Buffer.concat(stderr),
        text: output(),
        errors: errors(),
      });
    });
  });
  // Whoever only waits for `until` still hears of a failure there.
  finished.catch(() => undefined);
  return {
    child,
    output,
    errors,
    finished,
    until: async (pattern, limit = 30_000) => {
      const deadline = Date.now() + limit;
      for (;;) {
        const match = pattern.exec(output() + errors());
        if (match) return match;
        if (ended || Date.now() > deadline)
          throw new Error(`${program}: ${String(pattern)} expected, this came:\n${output()}\n${errors()}`);
        await sleep(20);
      }
    },
  };
}

/** Runs a program to its end. */
export function run(program: string, args: readonly string[], options: StartOptions = {}): Promise<Finished> {
  return start(program, args, options).finished;
}

/** Ends a process that serves, and waits for it. */
export async function stop(running: Running, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  running.child.kill(signal);
  await running.finished.catch(() => undefined);
}
