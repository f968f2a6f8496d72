/**
 * `npm run bench -- volume [--quick] [--tmpfs | --disk] [--runs N] [--only ROW,…]`: an Ensconce volume beside gocryptfs, securefs, its own
 * FUSE loop without encryption and the bare directory. All are mounted at once and take their turns row by row.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { filesystems } from './support/filesystems.ts';
import type { Mounted } from './support/filesystems.ts';

interface Row {
  readonly name: string;
  readonly script: string;
  /** Least ratio to gocryptfs on tmpfs. */
  readonly goal?: number;
  /** Start with what the kernel has cached dropped. */
  readonly cold?: boolean;
}

const random = (action: string, count: number): string =>
  `python3 -c 'import os,random; random.seed(1); b=os.urandom(4096); f=os.open("zero",os.O_RDWR)\nfor i in range(${count}): ${action}'`;

function rowsOf(tar: string, tree: string, megabytes: number, files: number): readonly Row[] {
  const offset = `4096*random.randrange(${megabytes * 256})`;
  return [
    {
      name: 'sequential write',
      script: `dd if=/dev/zero of=zero bs=128K count=${megabytes * 8} conv=fsync`,
      goal: 1.5,
    },
    { name: 'sequential read', script: 'dd if=zero of=/dev/null bs=128K', goal: 1.3, cold: true },
    { name: '4 KiB random write', script: `${random(`os.pwrite(f,b,${offset})`, files)}; sync -d zero` },
    { name: '4 KiB random read', script: random(`os.pread(f,4096,${offset})`, files), cold: true },
    {
      name: 'create',
      script: `mkdir c; cd c; python3 -c 'for i in range(${files}): open(str(i),"w").write("x")'; rm -r ../c ../zero`,
      goal: 2,
    },
    {
      name: 'create with fsync',
      script: `mkdir f; cd f; python3 -c 'import os\nfor i in range(${Math.ceil(files / 10)}):\n  f=open(str(i),"w"); f.write("x"); f.flush(); os.fsync(f.fileno())'; rm -r ../f`,
    },
    { name: 'untar', script: `tar xf ${tar}`, goal: 2 },
    { name: 'md5', script: `find ${tree} -type f -print0 | xargs -0 md5sum`, goal: 2, cold: true },
    { name: 'ls -lR', script: `ls -lR ${tree}`, goal: 4, cold: true },
    { name: 'rm -r', script: `rm -r ${tree}`, goal: 2, cold: true },
  ];
}

/** Not `spawnSync`: the keeper of the tag answers from this thread meanwhile. */
async function time(row: Row, path: string): Promise<number> {
  if (row.cold) writeFileSync('/proc/sys/vm/drop_caches', '3');
  const began = performance.now();
  const child = spawn('sh', ['-ec', row.script], { cwd: path, stdio: ['ignore', 'ignore', 'pipe'] });
  let complaint = '';
  child.stderr.on('data', (data: Buffer) => (complaint = (complaint + data.toString()).slice(-2000)));
  const [status] = (await once(child, 'exit')) as [number | null];
  const taken = performance.now() - began;
  if (status !== 0)
    throw new Error(`bench: ${row.name} in ${path}: exit code 0 expected, ${status} found\n${complaint}`);
  return taken;
}

/** The kernel source of Debian's linux-source package as a tar file, or a part of it. */
function sourceTree(folder: string, quick: boolean): { tar: string; tree: string } {
  const archive = readdirSync('/usr/src').find((name) => /^linux-source-.*\.tar\.xz$/.test(name));
  if (!archive)
    throw new Error(
      'bench: a kernel source in /usr/src expected, none found\nhint: apt-get install linux-source',
    );
  const tree = archive.slice(0, -'.tar.xz'.length);
  const tar = join(folder, 'tree.tar');
  const full = spawnSync('sh', ['-ec', `xz -dc /usr/src/${archive} > ${tar}`]);
  if (full.status !== 0) throw new Error('bench: the kernel source could not be unpacked');
  if (quick)
    spawnSync('sh', [
      '-ec',
      `cd ${folder} && tar xf tree.tar ${tree}/fs ${tree}/net && tar cf tree.tar ${tree} && rm -r ${tree}`,
    ]);
  return { tar, tree };
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

async function measure(
  parent: string,
  quick: boolean,
  runs: number,
  only: readonly string[] | undefined,
): Promise<Record<string, Record<string, number>>> {
  const folder = mkdtempSync(join(parent, 'ensconce-bench-'));
  const source = mkdtempSync('/dev/shm/ensconce-bench-source-');
  const mounted: Mounted[] = [];
  const table: Record<string, Record<string, number>> = {};
  try {
    const { tar, tree } = sourceTree(source, quick);
    for (const mount of filesystems) {
      const one = await mount(folder);
      if (one) mounted.push(one);
    }
    const rows = rowsOf(tar, tree, quick ? 256 : 512, quick ? 5000 : 20_000).filter(
      ({ name }) => only?.includes(name) ?? true,
    );
    const times = new Map<string, number[]>();
    for (let run = 0; run < runs; run++) {
      for (const row of rows) {
        for (const { name, path } of mounted) {
          const key = `${row.name}\n${name}`;
          times.set(key, [...(times.get(key) ?? []), await time(row, path)]);
        }
        const medians = Object.fromEntries(
          mounted.map(({ name }) => [name, median(times.get(`${row.name}\n${name}`) ?? [])]),
        );
        table[row.name] = medians;
        print(row, medians);
      }
    }
  } finally {
    for (const one of mounted) await one.unmount();
    rmSync(folder, { recursive: true, force: true });
    rmSync(source, { recursive: true, force: true });
  }
  return table;
}

function print(row: Row, times: Readonly<Record<string, number>>): void {
  const ratio = (times['gocryptfs'] ?? Number.NaN) / (times['ensconce'] ?? Number.NaN);
  const cells = Object.values(times).map((value) => value.toFixed(0).padStart(15));
  const goal = row.goal === undefined ? '' : ` (goal on tmpfs ${row.goal})`;
  console.log(`${row.name.padEnd(20)}${cells.join('')}   ${ratio.toFixed(2)}×${goal}`);
}

export async function benchVolume(args: readonly string[]): Promise<void> {
  const quick = args.includes('--quick');
  const runs = args.includes('--runs') ? Number(args[args.indexOf('--runs') + 1]) : 1;
  const rows = args.includes('--only') ? args[args.indexOf('--only') + 1]?.split(',') : undefined;
  const result: Record<string, unknown> = {};
  for (const [kind, parent] of [
    ['tmpfs', '/dev/shm'],
    ['disk', '/var/tmp'],
  ] as const) {
    const only = ['--tmpfs', '--disk'].filter((flag) => args.includes(flag));
    if (only.length > 0 && !only.includes(`--${kind}`)) continue;
    console.log(
      `\nvolume on ${kind}: milliseconds, median of ${runs}; ${availableParallelism()} processors, load ${loadavg()[0]?.toFixed(2)}`,
    );
    console.log(
      `${''.padEnd(20)}${['ensconce', 'gocryptfs', 'securefs', 'without crypto', 'bare'].map((name) => name.padStart(15)).join('')}   gocryptfs ÷ ensconce`,
    );
    result[kind] = await measure(parent, quick, runs, rows);
  }
  console.log('the tag is kept by a file behind messages of the parent thread, flushed at each update');
  const results = join(dirname(fileURLToPath(import.meta.url)), 'results');
  if (!existsSync(results)) mkdirSync(results, { recursive: true });
  writeFileSync(join(results, 'volume.json'), `${JSON.stringify(result, undefined, 2)}\n`);
}

if (import.meta.main) await benchVolume(process.argv.slice(2));
