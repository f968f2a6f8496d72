/**
 * `npm run bench -- volume-memory`: resident memory of the process that serves a volume, against how many files the kernel
 * knows and how large a file is.
 */
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createVolume } from '@ensconce/volume/commands';
import { report, summary } from './support/report.ts';
import { wholeNumber } from './support/usage.ts';

const server = fileURLToPath(new URL('support/serve-volume.ts', import.meta.url));
/** Long enough for the commits after the last change. */
const settled = 3000;

async function run(script: string, path: string): Promise<void> {
  const child = spawn('python3', ['-c', script], { cwd: path, stdio: ['ignore', 'ignore', 'inherit'] });
  const [status] = (await once(child, 'exit')) as [number | null];
  if (status !== 0) throw new Error(`bench: exit code 0 expected, ${status} found`);
}

/** Resident bytes of a process that are its own: not the program's file. */
function resident(pid: number): number {
  const found = /^RssAnon:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(found?.[1]) * 1024;
}

/** Resident memory after each of `steps`, which are Python programs. */
async function after(steps: readonly string[]): Promise<number[]> {
  const folder = mkdtempSync('/dev/shm/ensconce-bench-');
  const [directory, mountpoint] = [join(folder, 'data'), join(folder, 'mnt')];
  mkdirSync(directory);
  mkdirSync(mountpoint);
  const [volumeKey, tag] = [randomBytes(32), join(folder, 'tag')];
  createVolume({ directory, volumeKey, keeper: { kind: 'file', path: tag } });
  const child = spawn(process.execPath, [server, directory, mountpoint, tag], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  try {
    child.stdin.write(volumeKey);
    await once(child.stdout, 'data');
    const found: number[] = [];
    for (const step of steps) {
      await run(step, mountpoint);
      await sleep(settled);
      found.push(resident(child.pid as number));
    }
    return found;
  } finally {
    child.stdin.end();
    if (child.exitCode === null) await once(child, 'exit');
    spawnSync('umount', ['-l', mountpoint]);
    rmSync(folder, { recursive: true, force: true });
  }
}

const files = (from: number, to: number): string =>
  `import os\nfor i in range(${from}, ${to}):\n  if i % 1000 == 0: os.mkdir(str(i)); d = str(i)\n  open(f"{d}/{i}", "w").write("x")`;
const large = (name: string, megabytes: number): string =>
  `b = bytes(1 << 20); f = open("${name}", "wb")\nfor i in range(${megabytes}): f.write(b)`;

export async function benchVolumeMemory(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: { runs: { type: 'string' } } });
  const runs = wholeNumber('--runs', values.runs, 3, 1, 1000);
  const [perFile, perMegabyte]: [number[], number[]] = [[], []];
  for (let i = 0; i < runs; i++) {
    const [few = 0, many = 0] = await after([files(0, 10_000), files(10_000, 100_000)]);
    perFile.push((many - few) / 90_000);
    const [small = 0, big = 0] = await after([large('small', 128), large('big', 1024)]);
    perMegabyte.push((big - small) / 896);
  }
  report('volume-memory', {
    unit: 'bytes of resident memory',
    rows: { 'per file known': summary(perFile), 'per MiB of a file': summary(perMegabyte) },
    notes: [
      'slope from 10,000 to 100,000 files (bar: 300), and from 128 MiB to 1 GiB in one file',
      'a larger file fills the cache of the map, 1.6 MiB for 1 GiB and 7 MiB at most, and takes no more than that',
    ],
  });
}
