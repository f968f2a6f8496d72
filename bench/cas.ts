/**
 * `npm run bench -- cas [--stored SESSIONS] [STARTS]`: attested starts (TLS 1.3 with certificates on both sides, evidence, policy, 20
 * secrets, durable audit record) beside the TLS 1.3 handshakes that a server of the same certificates and nothing else
 * makes, in turn, with the same generators of load in processes of their own. Simulated hardware. STARTS a round.
 *
 * With `--stored` instead: what the start of a CAS that holds so many sessions takes, and what it does then.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { cpuSeconds, residentBytes } from './support/cas/cpu.ts';
import { filledState, serveFilled, servicePort, type FilledState } from './support/cas/filled.ts';
import { latencyAt, latencyStarts, type Latency } from './support/cas/latency.ts';
import { opensslHandshakes } from './support/cas/openssl.ts';
import { LoadGenerators, serveTlsOnly, type Server } from './support/cas/process.ts';
import { refuseFailures, type Target } from './support/cas/target.ts';
import { measureStored } from './support/cas/stored.ts';
import { summary } from './support/report.ts';
import { refuseMore, wholeNumber } from './support/usage.ts';

const few = 100;
const many = 100_000;
const rounds = 7;
const generators = 2;
const atOnce = 16;
/** Rounds before anything counts: compilers and caches are warm then. */
const warmUpRounds = 4;
/** No round takes longer. */
const longestRound = 60;
const latencyRounds = 7;

interface Round {
  /** Per second, as the clock on the wall has it: load generators and server share the machine. */
  readonly rate: number;
  /** Per second of CPU time of the server's process, all its threads and the kernel for them. */
  readonly perCpuSecond: number;
}

interface Cas {
  readonly server: Server;
  readonly state: FilledState;
}

async function startCas(folder: string, name: string, sessions: number): Promise<Cas> {
  const state = await filledState(folder, name, sessions);
  return { server: await serveFilled(state), state };
}

const starts = (name: string, { server, state }: Cas, sessions: number): Target => ({
  name,
  server,
  load: { kind: 'cas', port: servicePort(server), casPublicKey: state.casPublicKey, sessions },
});

async function oneRound(load: LoadGenerators, target: Target, count: number): Promise<Round> {
  await load.makeKeys(count);
  const before = cpuSeconds(target.server.pid);
  const { latencies, failures, elapsed } = await load.run({
    ...target.load,
    seconds: longestRound,
    warmUp: 0,
    pace: { atOnce },
  });
  // What a start leaves behind, as the record of the connection's end, belongs to it.
  await sleep(300);
  const cpu = cpuSeconds(target.server.pid) - before;
  refuseFailures(failures, latencies.length);
  return { rate: (latencies.length / elapsed) * 1000, perCpuSecond: latencies.length / cpu };
}

/** Everything in the table, measured in turn, so that what else the machine does falls on all of it. */
async function measure(
  load: LoadGenerators,
  targets: readonly Target[],
  count: number,
): Promise<readonly Round[][]> {
  for (const target of targets) await oneRound(load, target, warmUpRounds * count);
  const measured: Round[][] = targets.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, target] of targets.entries()) measured[i]?.push(await oneRound(load, target, count));
  }
  return measured;
}

interface Row {
  readonly name: string;
  readonly rate: number;
  readonly ofLimit: number;
  readonly perCpuSecond: number;
  /** Median, smallest and largest of the ratios round by round. */
  readonly cpuOfLimit: readonly [number, number, number];
}

function rowsOf(targets: readonly Target[], measured: readonly Round[][]): Row[] {
  const [limit = []] = measured;
  const median = (values: readonly number[]): number => summary(values).median;
  return targets.map(({ name }, i) => {
    const list = measured[i] as Round[];
    const cpu = summary(ratios(list, limit, 'perCpuSecond'));
    return {
      name,
      rate: median(list.map(({ rate }) => rate)),
      ofLimit: median(ratios(list, limit, 'rate')),
      perCpuSecond: median(list.map(({ perCpuSecond }) => perCpuSecond)),
      cpuOfLimit: [cpu.median, cpu.min, cpu.max],
    };
  });
}

/** Median, then smallest and largest. */
function spread(values: readonly number[], show: (value: number) => string): string {
  const { median, min, max } = summary(values);
  return `${show(median)} (${show(min)} to ${show(max)})`;
}

/** Round by round, since what else the machine does falls on both. */
function ratios(of: readonly Round[], to: readonly Round[], key: keyof Round): number[] {
  return of.map((round, at) => round[key] / (to[at] as Round)[key]);
}

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;

function print(rows: readonly Row[]): void {
  const columns = ['per second', 'of limit', 'per CPU-s', 'ms CPU', 'of limit', '(min to max)'];
  console.log(''.padEnd(40) + columns.map((column) => column.padStart(12)).join(''));
  for (const { name, rate, ofLimit, perCpuSecond, cpuOfLimit } of rows) {
    const [ratio, least, most] = cpuOfLimit;
    const cells = [
      rate.toFixed(0),
      percent(ofLimit),
      perCpuSecond.toFixed(0),
      (1000 / perCpuSecond).toFixed(2),
      percent(ratio),
      `${percent(least)}-${percent(most)}`,
    ];
    console.log(name.padEnd(40) + cells.map((cell) => cell.padStart(12)).join(''));
  }
}

export async function bench(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { stored: { type: 'string' } },
    allowPositionals: true,
  });
  refuseMore(positionals, values.stored === undefined ? 1 : 0);
  const count = wholeNumber('STARTS', positionals[0], 1000, 100, 100_000);
  const stored = wholeNumber('--stored', values.stored, 0, 100, 10_000_000);
  const folder = mkdtempSync(join(tmpdir(), 'bench-cas-'));
  const tidy = (): void => rmSync(folder, { recursive: true, force: true });
  process.once('exit', tidy);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
  try {
    await (stored > 0 ? measureStored(folder, stored) : measureStarts(folder, count));
  } finally {
    tidy();
  }
}

async function measureStarts(folder: string, count: number): Promise<void> {
  const servers: Server[] = [];
  let load: LoadGenerators | undefined;
  try {
    const small = await startCas(folder, 'few', few);
    servers.push(small.server);
    const large = await startCas(folder, 'many', many);
    servers.push(large.server);
    const tls = await serveTlsOnly(folder);
    servers.push(tls);
    const opened = [small, large].map(({ server, state }) => ({
      sessions: state.sessions,
      startSeconds: server.startTime / 1000,
      residentMiB: residentBytes(server.pid) / 2 ** 20,
    }));
    const openssl = await opensslHandshakes(folder, 3);
    load = await LoadGenerators.start(generators, join(folder, 'vendor'));
    const limit: Target = {
      name: 'TLS 1.3 handshakes alone (the limit)',
      server: tls,
      load: { kind: 'tls', port: Number(tls.ready['port']), casPublicKey: '', sessions: 0 },
    };
    const usual = starts('starts, 100 sessions stored', small, few);
    const targets = [
      limit,
      usual,
      starts('starts of 100 sessions, 100,000 stored', large, few),
      starts('starts of all 100,000 sessions', large, many),
    ];
    const measured = await measure(load, targets, count);
    const rows = rowsOf(targets, measured);
    const machine = `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} processors, load ${loadavg()[0]?.toFixed(1)}`;
    console.log(`\ncas on ${machine}`);
    print(rows);
    const latencies: (Latency & { readonly perSecond: number })[] = [];
    for (let round = 0; round < latencyRounds; round++) {
      // What the machine can do changes within minutes: 80 % is of what it does now.
      const { rate } = await oneRound(load, usual, Math.max(count, 1000));
      const perSecond = 0.8 * rate;
      latencies.push({ perSecond, ...(await latencyAt(load, usual, perSecond)) });
    }
    for (const { sessions, startSeconds, residentMiB } of opened) {
      console.log(
        `${sessions} sessions: ready after ${startSeconds.toFixed(1)} s, ${residentMiB.toFixed(0)} MiB resident`,
      );
    }
    const [, few100, sameOfMany = [], allOfMany = []] = measured;
    for (const [what, of] of [
      ['the same 100', sameOfMany],
      ['all of them', allOfMany],
    ] as const) {
      const [cpu, clock] = (['perCpuSecond', 'rate'] as const).map((key) =>
        spread(ratios(of, few100 as Round[], key), percent),
      );
      console.log(
        `100,000 sessions against 100, ${what}: ${cpu} per CPU-s, ${clock} by the clock; goal: 90 %`,
      );
    }
    const milliseconds = (value: number): string => `${value.toFixed(1)} ms`;
    console.log(
      `at 80 % load (${spread(
        latencies.map(({ perSecond }) => perSecond),
        (value) => value.toFixed(0),
      )} a second, by chance), ${latencyRounds} rounds of ${latencyStarts}: ` +
        `p50 ${spread(
          latencies.map(({ p50 }) => p50),
          milliseconds,
        )}, p99 ${spread(
          latencies.map(({ p99 }) => p99),
          milliseconds,
        )}, ${spread(
          latencies.map(({ times }) => times),
          (value) => value.toFixed(1),
        )} times; goal: at most 5`,
    );
    if (openssl !== undefined) {
      console.log(
        `openssl s_server with openssl s_time, X25519 instead of Node's X25519MLKEM768: ${openssl.toFixed(0)} handshakes per CPU-s`,
      );
    }
    console.log(
      `medians of ${rounds} rounds of ${count}, ${atOnce} at once from ${generators} processes on the same machine; goal: 50 % of the limit`,
    );
    const path = join(dirname(fileURLToPath(import.meta.url)), 'results');
    mkdirSync(path, { recursive: true });
    writeFileSync(
      join(path, 'cas.json'),
      `${JSON.stringify({ name: 'cas', machine, rows, measured, opened, latencies, openssl }, undefined, 2)}\n`,
    );
    console.log('written to bench/results/cas.json');
  } finally {
    load?.stop();
    await Promise.all(servers.map((server) => server.stop()));
  }
}
