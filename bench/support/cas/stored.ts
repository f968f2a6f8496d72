import { statSync } from 'node:fs';
import { join } from 'node:path';
import { listSessions, postSession, putSession, readSession } from '@ensconce/api/client';
import { report, summary } from '../report.ts';
import { cpuSeconds, peakBytes, residentBytes } from './cpu.ts';
import { connectAs, filledState, serveFilled, servicePort, type FilledState } from './filled.ts';
import { LoadGenerators, type Server } from './process.ts';
import { sessionName, sessionText } from './session.ts';
import { refuseFailures } from './target.ts';

const times = 20;
const starts = 200;

/** What a CAS that holds `sessions` sessions takes to start, and what it does then, one request at a time. */
export async function measureStored(folder: string, sessions: number): Promise<void> {
  const beforeFill = performance.now();
  const state = await filledState(folder, 'stored', sessions);
  await measureFilled(state, [
    `filled with ${sessions} sessions in ${seconds(performance.now() - beforeFill)}`,
  ]);
}

async function measureFilled(state: FilledState, notes: string[]): Promise<void> {
  const { folder, sessions } = state;
  for (const file of ['cas.db', 'audit.jsonl'])
    notes.push(`${file}: ${mebibytes(statSync(join(folder, state.name, file)).size)}`);
  const rows: Record<string, readonly number[]> = {};
  const serving = async (name: string, use: (server: Server) => Promise<void>): Promise<void> => {
    const server = await serveFilled(state);
    try {
      notes.push(
        `${name}: ready after ${seconds(server.startTime)} (${cpuSeconds(server.pid).toFixed(1)} s of CPU), ` +
          `${mebibytes(residentBytes(server.pid))} resident, ${mebibytes(peakBytes(server.pid))} at most until then`,
      );
      await use(server);
      notes.push(`  after its requests: ${mebibytes(residentBytes(server.pid))} resident`);
    } finally {
      const before = performance.now();
      await server.stop();
      notes.push(`  stopped in ${seconds(performance.now() - before)}`);
    }
  };
  await serving('start', async (server) => {
    const cas = await connectAs(state.owner, server);
    const any = (): string => sessionName(1 + Math.floor(Math.random() * (sessions - 1)));
    rows['create a session'] = await timed(async (i) => {
      await postSession(cas, sessionText(`new-${i}`, cas.identity));
    });
    rows['update a session'] = await timed(async (i) => {
      const name = `new-${i}`;
      const { hash } = await readSession(cas, name);
      return () => putSession(cas, name, `${sessionText(name, cas.identity)}predecessor: ${hash}\n`);
    });
    rows['read a session'] = await timed(async () => void (await readSession(cas, any())));
    rows['list a page of names'] = await timed(
      async () => void (await listSessions(cas, { limit: 1000, cursor: any() })),
    );
    cas.close();
    const load = await LoadGenerators.start(1, join(folder, 'vendor'));
    try {
      await load.makeKeys(starts);
      const { latencies, failures } = await load.run({
        kind: 'cas',
        port: servicePort(server),
        casPublicKey: state.casPublicKey,
        sessions,
        seconds: 60,
        warmUp: 0,
        pace: { atOnce: 1 },
      });
      refuseFailures(failures, latencies.length);
      rows['attested start'] = latencies;
    } finally {
      load.stop();
    }
  });
  await serving('restart', async () => {});
  report('cas-stored', {
    unit: 'ms',
    rows: Object.fromEntries(Object.entries(rows).map(([name, values]) => [name, summary(values)])),
    notes,
  });
}

/** Milliseconds of each; what `step` returns is what is timed, where it returns something to call. */
async function timed(step: (i: number) => Promise<(() => Promise<unknown>) | void>): Promise<number[]> {
  const measured: number[] = [];
  for (let i = 0; i < times; i++) {
    let before = performance.now();
    const rest = await step(i);
    if (rest !== undefined) {
      before = performance.now();
      await rest();
    }
    measured.push(performance.now() - before);
  }
  return measured;
}

const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(1)} s`;
const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
