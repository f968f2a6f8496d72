/** PostgreSQL as Debian has it, on a folder of one's choice. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const folder = '/usr/lib/postgresql';

/** Where the programs of the newest version are; undefined where there is none. */
export function postgresPrograms(): string | undefined {
  const versions = existsSync(folder) ? readdirSync(folder) : [];
  const newest = versions.toSorted((a, b) => Number(b) - Number(a))[0];
  return newest === undefined ? undefined : join(folder, newest, 'bin');
}

/** The account that Debian's PostgreSQL runs under: it refuses to run as root. */
export function postgresUser(): { uid: number; gid: number } | undefined {
  const fields = /^postgres:[^:]*:(\d+):(\d+):/m.exec(readFileSync('/etc/passwd', 'utf8'));
  return fields ? { uid: Number(fields[1]), gid: Number(fields[2]) } : undefined;
}

export interface Postgres {
  /** Runs a program of PostgreSQL's as its user; what it printed, also where it failed if it `mayFail`. */
  readonly run: (program: string, args: readonly string[], mayFail?: boolean) => Promise<string>;
  /** Starts the server; resolves when it answers. */
  readonly start: () => Promise<{ readonly stop: (signal: 'SIGINT' | 'SIGKILL') => Promise<void> }>;
}

/** PostgreSQL with its data in `data` and its socket in `socket`, which belong to its user. */
export function postgres(data: string, socket: string): Postgres {
  const [bin, user] = [postgresPrograms(), postgresUser()];
  if (bin === undefined || user === undefined)
    throw new Error('PostgreSQL and its user expected, none found');
  const env = { PATH: process.env['PATH'], PGHOST: socket, PGDATABASE: 'postgres', LC_ALL: 'C.UTF-8' };
  const options = { ...user, cwd: '/', env };
  const run: Postgres['run'] = async (program, args, mayFail = false) => {
    try {
      const { stdout, stderr } = await promisify(execFile)(join(bin, program), args, options);
      return stdout + stderr;
    } catch (error) {
      const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
      if (mayFail) return stdout + stderr;
      throw error;
    }
  };
  const start: Postgres['start'] = async () => {
    // Until the last process of a server that was killed has ended, the next one refuses to start.
    for (let attempt = 0; attempt < 30; attempt++) {
      const settings = ['listen_addresses=', `unix_socket_directories=${socket}`];
      const args = ['-D', data, ...settings.flatMap((setting) => ['-c', setting])];
      const server = spawn(join(bin, 'postgres'), args, { ...options, stdio: 'ignore' });
      const ended = once(server, 'close');
      while (server.exitCode === null && server.signalCode === null) {
        if ((await run('pg_isready', [], true)).includes('accepting'))
          return {
            stop: async (signal) => {
              server.kill(signal);
              await ended;
            },
          };
        await sleep(100);
      }
      await sleep(300);
    }
    throw new Error('a server of PostgreSQL that starts expected, none did');
  };
  return { run, start };
}
