/**
 * `npm run bench -- audit [RECORDS]`: what a record of the audit log costs CAS, and what opening, proofs and lists cost in a log of so many
 * records (100,000 by default).
 */
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AuditEvent } from '@ensconce/audit/event';
import { AuditLog } from '../services/cas/src/audit/audit-log.ts';
import { AuditProofs } from '../services/cas/src/audit/audit-proofs.ts';
import { refuseMore, wholeNumber } from './support/usage.ts';

const released = [
  { session: 'team/app', secrets: Array.from({ length: 20 }, (_, i) => `secret_number_${i}`), volumes: [] },
];

/** A release of 20 secrets: what most records of a busy CAS are. Every tenth session also has one from another. */
const release = (i: number): AuditEvent => ({
  type: 'Service attested',
  session: `team/app-${i % 1000}`,
  service: 'app',
  evidence: {
    tee: 'sgx',
    simulated: false,
    debug: false,
    image: 'ab'.repeat(32),
    code: 'ab'.repeat(32),
    signer: '09'.repeat(32),
    platform: { kind: 'platform-instance', id: 'cd'.repeat(16) },
    tcbStatus: 'UpToDate',
    tcbDate: '2026-10-26T00:00:00Z',
    advisories: [],
  },
  released,
});

const microseconds = (): number => {
  const { user, system } = process.cpuUsage();
  return user + system;
};

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
const one = (value: number): number => Math.round(value * 10) / 10;

async function timed<Result>(
  run: () => Promise<Result>,
): Promise<{ readonly result: Result; readonly ms: number }> {
  const start = performance.now();
  const result = await run();
  return { result, ms: performance.now() - start };
}

async function benchmark(records: number): Promise<Record<string, number>> {
  const folder = mkdtempSync(join(tmpdir(), 'audit-bench-'));
  const path = join(folder, 'audit.jsonl');
  const { privateKey } = generateKeyPairSync('ed25519');
  const options = { path, key: privateKey, now: () => new Date(), anchor: undefined, commit: 0 };
  try {
    const log = await AuditLog.open(options);
    const costs: number[] = [];
    const batch = 500;
    for (let at = 0; at < records; at += batch) {
      const before = microseconds();
      await Promise.all(Array.from({ length: batch }, (_, i) => log.append(release(at + i), 0)));
      costs.push((microseconds() - before) / batch);
    }
    const message = Buffer.alloc(1000);
    const beforeSign = microseconds();
    for (let i = 0; i < 2000; i++) sign(null, message, privateKey);
    const signing = (microseconds() - beforeSign) / 2000;
    const proofs = new AuditProofs(log);
    const repeat = async (run: (i: number) => Promise<unknown>): Promise<number> => {
      const times: number[] = [];
      for (let i = 0; i < 101; i++) times.push((await timed(() => run(i))).ms);
      return median(times);
    };
    const some = (i: number): number => 1 + ((i * 7919) % (records - 1));
    const inclusion = await repeat((i) => proofs.inclusion(some(i), records));
    const consistency = await repeat((i) => proofs.consistency(some(i), records));
    const { last } = log.sessionHead('team/app-7');
    const page = await repeat(() => proofs.ofSession('team/app-7', last, records));
    const anchor = log.position;
    const memory = process.memoryUsage().rss / 2 ** 20;
    await log.close();
    const beforeOpening = microseconds();
    const opened = await timed(() => AuditLog.open({ ...options, anchor }));
    const opening = microseconds() - beforeOpening;
    await opened.result.close();
    return {
      records: records,
      'bytes a record': Math.round(statSync(path).size / records),
      'CPU µs a record': one(median(costs)),
      'of which signing, µs': one(signing),
      'inclusion proof, ms': one(inclusion * 100) / 100,
      'consistency proof, ms': one(consistency * 100) / 100,
      'page of 100 records of a session, ms': one(page),
      'opening, s': one(opened.ms / 1000),
      'opening, CPU µs a record': one(opening / records),
      'memory of the process, MiB': Math.round(memory),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export async function benchAudit(args: readonly string[]): Promise<void> {
  refuseMore(args, 1);
  const result = await benchmark(wholeNumber('RECORDS', args[0], 100_000));
  for (const [name, value] of Object.entries(result)) console.log(`${name.padEnd(40)} ${value}`);
  const output = join(dirname(fileURLToPath(import.meta.url)), 'results', 'audit.json');
  mkdirSync(dirname(output), { recursive: true });
  writeFileSync(output, `${JSON.stringify({ cpu: cpus()[0]?.model, ...result }, null, 2)}\n`);
}
