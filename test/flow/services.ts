/** Real CAS and LAS processes with state in a temporary folder, and the command as a user has it. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { nodeOptions } from '../../apps/cli/bin/node-options.mjs';
import { repository } from '../images/places.ts';
import { run, start, stop, type Finished, type Running, type StartOptions } from './processes.ts';

export const program = join(repository, 'apps', 'cli', 'src', 'program.ts');

export interface Cas {
  readonly identity: string;
  /** `host:port` of the clients' and of the services' port. */
  readonly client: string;
  readonly service: string;
  readonly running: Running;
}

export interface CasOptions {
  /** Folder below the world's (default `cas`). */
  readonly state?: string;
  readonly acceptSimulation?: boolean;
  /** More of the command line. */
  readonly more?: readonly string[];
  readonly client?: string;
  readonly service?: string;
}

/** Starts a LAS on a socket in `folder`; the vendor's state is `folder`/vendor. */
export async function startLas(folder: string): Promise<{ socket: string; running: Running }> {
  const socket = join(folder, 'las.sock');
  const running = start(
    process.execPath,
    [program, 'las', 'serve', '--simulate', '--state', join(folder, 'vendor'), '--socket', socket, '--json'],
    { timeout: 900_000, env: { HOME: folder } },
  );
  await running.until(/"simulated": true/);
  return { socket, running };
}

export async function startCas(folder: string, las: string, options: CasOptions = {}): Promise<Cas> {
  const running = start(
    process.execPath,
    [
      // As bin/ensconce starts it.
      ...nodeOptions(['cas', 'serve']),
      program,
      'cas',
      'serve',
      '--state',
      join(folder, options.state ?? 'cas'),
      '--las',
      las,
      '--listen-client',
      options.client ?? '127.0.0.1:0',
      '--listen-service',
      options.service ?? '127.0.0.1:0',
      ...(options.acceptSimulation === false ? [] : ['--insecure-accept-simulation', join(folder, 'vendor')]),
      ...(options.more ?? []),
      // Each test has an identity of its own.
      '--insecure-any-creator',
      '--json',
    ],
    { timeout: 900_000, env: { HOME: folder } },
  );
  await running.until(/"acceptsSimulation": (?:true|false)\s*\}/);
  const { identity, client, service } = JSON.parse(running.output()) as {
    identity: string;
    client: string;
    service: string;
  };
  return { identity, client, service, running };
}

/** Runs `ensconce ARGS` with its state in `folder`. */
export function command(
  folder: string,
  args: readonly string[],
  options: StartOptions = {},
): Promise<Finished> {
  return run(process.execPath, [program, ...args], { ...options, env: commandEnvironment(folder, options) });
}

/** The environment under which the command keeps its state in `folder`. */
export function commandEnvironment(folder: string, options: StartOptions = {}): Record<string, string> {
  const home = join(folder, 'home');
  mkdirSync(home, { recursive: true });
  return { HOME: home, XDG_CACHE_HOME: join(folder, 'cache'), ...options.env };
}

export { stop };
