/**
 * apt-get and apt-cache, without installing anything. The machine's own package lists are used if they will do;
 * otherwise lists of our own are fetched into a cache folder, which needs no root and works for other architectures.
 */
import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

export interface Apt {
  /** Runs apt-get with these arguments in `folder` and gives what it printed; rejects with its messages. */
  run(args: readonly string[], folder: string): Promise<string>;
}

function aptWith(options: readonly string[]): Apt {
  return {
    async run(args, folder) {
      try {
        const { stdout } = await execute('apt-get', ['-q', ...options, ...args], {
          cwd: folder,
          env: { ...process.env, LC_ALL: 'C.UTF-8' },
          maxBuffer: 64 << 20,
        });
        return stdout;
      } catch (cause) {
        const lines =
          (cause as { stderr?: string }).stderr?.split('\n').filter((line) => /^[EW]:/.test(line)) ?? [];
        throw new Error(`apt-get ${args.slice(0, 3).join(' ')}: ${lines.join('; ') || 'failed'}`, { cause });
      }
    },
  };
}

/** The privilege drop of apt cannot write to most folders, and only warns; signatures and hashes are checked before use. */
const sandbox = ['-o', 'APT::Sandbox::User=root'];

/** apt with the machine's own package lists. */
export function systemApt(): Apt {
  return aptWith(sandbox);
}

/** apt with fresh package lists for `architecture`, kept below `cacheFolder`; the machine's sources and keys are used. */
export async function privateApt(cacheFolder: string, architecture: string): Promise<Apt> {
  const state = join(cacheFolder, 'apt', architecture);
  mkdirSync(join(state, 'lists', 'partial'), { recursive: true });
  mkdirSync(join(state, 'cache', 'archives', 'partial'), { recursive: true });
  const settings = [
    `APT::Architecture=${architecture}`,
    `APT::Architectures=${architecture}`,
    `Dir::State=${state}`,
    'Dir::State::status=/dev/null',
    `Dir::Cache=${join(state, 'cache')}`,
    'Acquire::Languages=none',
  ];
  const apt = aptWith([...sandbox, ...settings.flatMap((setting) => ['-o', setting])]);
  // One unreachable source of several need not matter: whether the lists will do shows when they are used.
  const problem = await apt.run(['update'], state).then(
    () => undefined,
    (error: unknown) => error as Error,
  );
  if (problem === undefined) return apt;
  return {
    run: (args, folder) =>
      apt.run(args, folder).catch((cause: unknown) => {
        throw new Error(`${(cause as Error).message}; ${problem.message}`, { cause });
      }),
  };
}
