import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import * as v from 'valibot';
import { shell, simulatedLas, type Shell } from './shell.ts';

/** What the simulated hardware measures of the CAS. */
export const mrenclave = 'ca'.repeat(32);
export const sessionFile = `# the session of the app
name: $NAME
version: "0.3.12"
services:
  - name: app
    command: python3 /app/main.py
    attestation: [{mrenclave: ["${'aa'.repeat(32)}"]}]
`;

export interface Running extends Shell {
  readonly address: string;
  readonly vendor: string;
  readonly identity: string;
  readonly file: string;
  readonly stop: () => Promise<unknown>;
}

/** A CAS with a LAS, started as a user would, and a session file. */
export async function running(t: TestContext): Promise<Running> {
  const user = shell(t);
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
  );
  const ready = v.object({ client: v.string(), identity: v.string() });
  const { client, identity } = v.parse(ready, JSON.parse(stdout));
  const file = join(user.folder, 'session.yml');
  writeFileSync(file, sessionFile);
  return { ...user, address: client, vendor, identity, file, stop };
}
