/**
 * `npm run bench -- cas [SECONDS]`: attested starts (TLS 1.3 with certificates on both sides, evidence, policy, 20
 * secrets, durable audit record) beside the TLS 1.3 handshakes that a server of the same certificates and nothing else
 * makes, in turn, with the same generators of load in processes of their own. Simulated hardware.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { postSession } from '@ensconce/api/client';
import { CasConnection } from '@ensconce/api/connection';
import { selfSigned } from '@ensconce/identity/self-signed';
import { cpuSeconds, residentBytes } from './support/cas/cpu.ts';
import type { Load } from './support/cas/load.ts';
import { LoadGenerators, runProgram, serveCas, serveTlsOnly, type Server } from './support/cas/process.ts';
import { sessionName, sessionText } from './support/cas/session.ts';
import { summary } from './support/report.ts';

const few = 100;
const many = 100_000;
const rounds = 5;
const generators = 2;
const atOnce = 16;

/** What is loaded, and from how many sessions. */
interface Target {
  readonly name: string;
  readonly server: Server;
  readonly load: Pick<Load, 'kind' | 'port' | 'casPublicKey' | 'sessions'>;
}

interface Round {
  /** Per second, as the clock on the wall has it. */
  readonly rate: number;
  /** Per second of CPU time of the server's process. */
  readonly perCpuSecond: number;
}

interface Cas {
  readonly server: Server;
  readonly publicKey: string;
}

async function startCas(folder: string, name: string, sessions: number): Promise<Cas> {
  const port = (address: string | undefined): number => Number(address?.split(':').at(-1));
  const { privateKey, certificate } = await selfSigned('owner', new Date());
  const identity = { privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }), certificate };
  const first = await serveCas(folder, name);
  const { ready } = first;
  const connection = await CasConnection.open({
    address: { host: '127.0.0.1', port: port(ready['client']) },
    identity,
    pinned: ready['identity'],
    timeout: 10_000,
  });
  const publicKey = Buffer.from(connection.publicKey).toString('base64');
  await postSession(connection, sessionText(sessionName(0), connection.identity));
  connection.close();
  await first.stop();
  await runProgram('fill.ts', [join(folder, name), String(sessions)]);
  const server = await serveCas(folder, name);
  console.error(
    `bench: CAS with ${sessions} sessions was ready after ${(server.startTime / 1000).toFixed(1)} s, ` +
      `${(residentBytes(server.pid) / 2 ** 20).toFixed(0)} MiB resident`,
  );
  return { server, publicKey };
}

const portOf = (address: string | number | undefined): number => Number(String(address).split(':').at(-1));

const starts = (name: string, { server, publicKey }: Cas, sessions: number): Target => ({
  name,
  server,
  load: { kind: 'cas', port: portOf(server.ready['service']), casPublicKey: publicKey, sessions },
});

/** Everything in the table, measured in turn. */
async function measure(
  load: LoadGenerators,
  targets: readonly Target[],
  seconds: number,
): Promise<ReadonlyMap<Target, Round[]>> {
  const measured = new Map<Target, Round[]>(targets.map((target) => [target, []]));
  // The first round fills caches and warms up the compilers; it does not count.
  for (let round = -1; round < rounds; round++) {
    for (const target of targets) {
      await load.makeKeys(Math.ceil(seconds * 2500));
      const before = cpuSeconds(target.server.pid);
      const { latencies, failures, elapsed } = await load.run({ ...target.load, seconds, pace: { atOnce } });
      // What a start leaves behind, as the record of the connection's end, belongs to it.
      await new Promise((resolve) => setTimeout(resolve, 200));
      const cpu = cpuSeconds(target.server.pid) - before;
      refuseFailures(failures, latencies.length);
      if (round >= 0) {
        measured
          .get(target)
          ?.push({ rate: (latencies.length / elapsed) * 1000, perCpuSecond: latencies.length / cpu });
      }
    }
  }
  return measured;
}

function refuseFailures(failures: readonly string[], successes: number): void {
  if (failures.length === 0) return;
  throw new Error(`bench: no failure expected, ${failures.length} beside ${successes} found: ${failures[0]}`);
}

export async function bench(args: readonly string[]): Promise<void> {
  const seconds = Number(args[0] ?? 4);
  const folder = mkdtempSync(join(tmpdir(), 'bench-cas-'));
  const servers: Server[] = [];
  let load: LoadGenerators | undefined;
  try {
    const small = await startCas(folder, 'few', few);
    servers.push(small.server);
    const large = await startCas(folder, 'many', many);
    servers.push(large.server);
    const tls = await serveTlsOnly(folder);
    servers.push(tls);
    load = await LoadGenerators.start(generators, join(folder, 'vendor'));
    const bare: Target = {
      name: 'TLS 1.3 handshakes alone',
      server: tls,
      load: { kind: 'tls', port: portOf(tls.ready['port']), casPublicKey: '', sessions: 0 },
    };
    const targets = [
      bare,
      starts('starts, 100 sessions stored', small, few),
      starts('starts of 100 sessions, 100,000 stored', large, few),
      starts('starts of all of 100,000 sessions', large, many),
    ];
    const measured = await measure(load, targets, seconds);
    for (const [target, list] of measured) {
      const rate = summary(list.map((round) => round.rate));
      const cpu = summary(list.map((round) => round.perCpuSecond));
      console.log(
        target.name.padEnd(42),
        `${rate.median.toFixed(0)}/s (${rate.min.toFixed(0)} to ${rate.max.toFixed(0)})`.padEnd(26),
        `${cpu.median.toFixed(0)}/CPU-s (${cpu.min.toFixed(0)} to ${cpu.max.toFixed(0)})`,
      );
    }
    const [, fewTarget] = targets as [Target, Target];
    const max = summary((measured.get(fewTarget) as Round[]).map((round) => round.rate)).median;
    await load.makeKeys(Math.ceil(seconds * 4 * max * 1.2));
    const { latencies, failures } = await load.run({
      ...fewTarget.load,
      seconds: seconds * 4,
      pace: { perSecond: 0.8 * max },
    });
    refuseFailures(failures, latencies.length);
    const sorted = latencies.toSorted((a, b) => a - b);
    const at = (share: number): number => sorted[Math.floor(share * sorted.length)] as number;
    console.log(
      `at ${(0.8 * max).toFixed(0)}/s: p50 ${at(0.5).toFixed(1)} p90 ${at(0.9).toFixed(1)} p99 ${at(0.99).toFixed(1)}`,
    );
    const path = join(dirname(fileURLToPath(import.meta.url)), 'results');
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, 'cas.json'), '{}');
  } finally {
    load?.stop();
    await Promise.all(servers.map((server) => server.stop()));
    rmSync(folder, { recursive: true, force: true });
  }
}
