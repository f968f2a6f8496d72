import { join } from 'node:path';
import type { TestContext } from 'node:test';
import * as v from 'valibot';
import { shell, simulatedLas, type Result, type Shell } from './shell.ts';

/** A user's shell beside a CAS that runs. */
export interface RunningCas extends Shell {
  /** `host:port` of the client port. */
  readonly address: string;
  /** Folder of the simulated vendor. */
  readonly vendor: string;
  readonly identity: string;
  readonly stop: () => Promise<unknown>;
  /** Verifies this CAS, as a user does before anything else. */
  readonly attest: () => Promise<Result>;
}

/** A CAS with a LAS, started as a user would; the simulated hardware measures `mrenclave` (hex) of it. */
export async function runningCas(
  t: TestContext,
  mrenclave: string,
  options: {
    readonly environment?: Record<string, string>;
    /** More arguments of `cas serve`. */
    readonly more?: (folder: string) => readonly string[];
  } = {},
): Promise<RunningCas> {
  const user = shell(t, options.environment);
  const vendor = join(user.folder, 'vendor');
  const socket = join(user.folder, 'las.sock');
  await simulatedLas(t, { socket, vendorFolder: vendor, mrenclave });
  const { stdout, stop } = await user.start(
    'cas',
    'serve',
    '--state',
    join(user.folder, 'state'),
    '--las',
    socket,
    '--json',
    '--listen-client',
    '127.0.0.1:0',
    '--listen-service',
    '127.0.0.1:0',
    '--insecure-accept-simulation',
    vendor,
    '--log-level',
    'silent',
    ...(options.more?.(user.folder) ?? []),
  );
  const ready = v.object({ client: v.string(), identity: v.string() });
  const { client, identity } = v.parse(ready, JSON.parse(stdout));
  const trust = ['--mrenclave', mrenclave, '--insecure-accept-simulation', vendor];
  const attest = (): Promise<Result> => user.run('cas', 'attest', client, ...trust);
  return { ...user, address: client, vendor, identity, stop, attest };
}
