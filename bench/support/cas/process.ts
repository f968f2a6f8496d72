import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { nodeOptions } from '../../../apps/cli/bin/node-options.mjs';
import type { Load, LoadResult } from './load.ts';

const here = import.meta.dirname;
const program = join(here, '..', '..', '..', 'apps', 'cli', 'src', 'program.ts');

/** A server in a process of its own, and what it printed when it was ready. */
export interface Server {
  readonly pid: number;
  readonly ready: Readonly<Record<string, string>>;
  /** Milliseconds from its start until it was ready. */
  readonly startTime: number;
  stop(): Promise<void>;
}

async function serve(args: readonly string[], cwd: string): Promise<Server> {
  const began = performance.now();
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'ignore'],
    cwd,
    env: { PATH: process.env['PATH'], SCONE_CLI_CONFIG: join(cwd, 'cli.json') },
  });
  const ended = once(child, 'close');
  const kill = (): boolean => child.kill('SIGKILL');
  process.once('exit', kill);
  let text = '';
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    text += chunk.toString();
    if (text.trimEnd().endsWith('}')) break;
  }
  if (text === '') throw new Error(`bench: ${args.join(' ')}: a server expected, it ended`);
  return {
    pid: child.pid as number,
    ready: JSON.parse(text) as Record<string, string>,
    startTime: performance.now() - began,
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
      process.off('exit', kill);
    },
  };
}

/** `ensconce cas serve`, as bin/ensconce starts it. Its log goes to /dev/null. */
export const serveCas = (folder: string, name: string, options: readonly string[] = []): Promise<Server> =>
  serve(
    [
      ...nodeOptions(['cas', 'serve']),
      program,
      'cas',
      'serve',
      '--state',
      name,
      '--listen-client',
      '127.0.0.1:0',
      '--listen-service',
      '127.0.0.1:0',
      '--insecure-accept-simulation',
      'vendor',
      '--json',
      ...options,
    ],
    folder,
  );

export const serveTlsOnly = (folder: string): Promise<Server> => serve([join(here, 'tls-only.ts')], folder);

/** Runs a program of this folder to its end. */
export async function runProgram(name: string, args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, [join(here, name), ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [status] = (await once(child, 'close')) as [number | null];
  if (status !== 0) throw new Error(`bench: ${name}: exit code 0 expected, ${status} found`);
}

/** Processes that make load together. Their pauses would count as the server's, so they collect garbage as it does. */
export class LoadGenerators {
  readonly #children: readonly ChildProcess[];

  private constructor(children: readonly ChildProcess[]) {
    this.#children = children;
  }

  static async start(count: number, vendor: string): Promise<LoadGenerators> {
    const execArgv = nodeOptions(['cas', 'serve']);
    const children = Array.from({ length: count }, () => fork(join(here, 'load.ts'), [vendor], { execArgv }));
    await Promise.all(children.map((child) => once(child, 'message')));
    return new LoadGenerators(children);
  }

  async #ask(messages: readonly unknown[]): Promise<readonly unknown[]> {
    return Promise.all(
      this.#children.map(async (child, i) => {
        child.send(messages[i] as object);
        const [answer] = (await once(child, 'message')) as [{ readonly result: unknown }];
        return answer.result;
      }),
    );
  }

  /** Has keys for `count` starts in all ready. */
  async makeKeys(count: number): Promise<void> {
    const each = Math.ceil(count / this.#children.length);
    await this.#ask(this.#children.map(() => ({ type: 'keys', count: each })));
  }

  async run(load: Load): Promise<LoadResult> {
    const parts = this.#children.length;
    const { pace } = load;
    const share = 'atOnce' in pace ? { atOnce: pace.atOnce / parts } : { perSecond: pace.perSecond / parts };
    const message = { type: 'run', load: { ...load, pace: share } };
    const results = (await this.#ask(this.#children.map(() => message))) as readonly LoadResult[];
    return {
      latencies: results.flatMap(({ latencies }) => latencies),
      failures: results.flatMap(({ failures }) => failures),
      elapsed: Math.max(...results.map(({ elapsed }) => elapsed)),
    };
  }

  stop(): void {
    for (const child of this.#children) child.kill('SIGTERM');
  }
}
