/**
 * `npm run bench -- volume [--quick] [--tmpfs] [--disk] [--slow-disk] [--runs N] [--rows NAME,…]`: Ensconce volumes whose tags a real
 * CAS keeps, beside gocryptfs, securefs, their own FUSE loop without encryption and the bare directory. All are mounted
 * at once and take their turns row by row.
 */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { databaseRows } from './support/database-rows.ts';
import { limitDisk } from './support/disk-limit.ts';
import { diskBusy } from './support/disk-use.ts';
import { fileRows, sourceTree } from './support/file-rows.ts';
import { checkInstalled, mounts, systems, type Mounted, type System } from './support/filesystems.ts';
import { summary, type Summary } from './support/report.ts';
import { startTagCas, type TagCas } from './support/tag-cas.ts';
import { Misuse, wholeNumber } from './support/usage.ts';
import { dropCaches, type Bar, type Row, type Store } from './support/volume-row.ts';

interface Measured {
  readonly times: Partial<Record<System, number[]>>;
  /** Share of the time of the bare directory in which the disk was busy. */
  diskShare: number;
}

type Results = Record<
  string,
  { readonly milliseconds: Partial<Record<System, Summary>>; readonly bars: string[] }
>;

const stores: readonly (readonly [Store, string])[] = [
  ['tmpfs', '/dev/shm'],
  ['disk', '/var/tmp'],
  ['slow disk', '/var/tmp'],
];
/** Bytes a second of the slow disk: about a hard disk, or a volume of a cloud. */
const slow = 200_000_000;

const median = (values: readonly number[] | undefined): number =>
  values === undefined || values.length === 0 ? Number.NaN : summary(values).median;

async function measureOnce(row: Row, { path, name }: Mounted, folder: string, into: Measured): Promise<void> {
  if (row.cold === true) dropCaches();
  const [began, busy] = [performance.now(), diskBusy(folder)];
  let taken: number;
  try {
    taken = await row.measure(path);
  } catch (cause) {
    throw new Error(`bench: ${row.name} on ${name} failed`, { cause });
  }
  (into.times[name] ??= []).push(taken);
  if (name === 'bare' && busy !== undefined)
    into.diskShare = ((diskBusy(folder) ?? busy) - busy) / (performance.now() - began);
}

function judge(bar: Bar, store: Store, { times, diskShare }: Measured): string | undefined {
  if (bar.store !== store || !times[bar.of] || !times[bar.than]) return undefined;
  const ratio = median(times[bar.than]) / median(times[bar.of]);
  const claim = `${bar.of} ${ratio.toFixed(2)}× ${bar.than}`;
  // What is held back by the limit does not count as busy.
  if (bar.diskBound === true && store === 'disk' && diskShare < 0.8)
    return `${claim} (the disk was busy ${(diskShare * 100).toFixed(0)} % of the time: no bar)`;
  const ceiling = median(times[bar.than]) / median(times.loop);
  if (bar.diskBound === true && ceiling < bar.ratio)
    return `${claim} (our loop without encryption ${ceiling.toFixed(2)}×, not the disk is the limit: no bar)`;
  if (ratio >= bar.ratio) return `${claim}, bar ${bar.ratio}: reached`;
  const above = ceiling < bar.ratio ? ` (our loop without encryption ${ceiling.toFixed(2)}×)` : '';
  return `${claim}, bar ${bar.ratio}: MISSED${above}`;
}

const cell = (values: readonly number[] | undefined): string => {
  if (values === undefined) return '–';
  const { min, median: middle, max } = summary(values);
  const text = (value: number): string => value.toFixed(value < 100 ? 1 : 0);
  return values.length === 1 ? text(middle) : `${text(min)}/${text(middle)}/${text(max)}`;
};

const noTree = { tar: '', tree: '' };

function allRows(tree: typeof noTree, quick: boolean): Row[] {
  const sizes = quick ? { megabytes: 256, files: 5000 } : { megabytes: 512, files: 20_000 };
  return [...fileRows(tree, sizes), ...databaseRows(quick)];
}

async function measureStore(
  store: Store,
  parent: string,
  cas: TagCas,
  options: { quick: boolean; runs: number; rows: readonly string[] | undefined },
): Promise<Results> {
  const folder = mkdtempSync(join(parent, 'ensconce-bench-'));
  const source = mkdtempSync('/dev/shm/ensconce-bench-source-');
  // PostgreSQL, which does not run as root, has to reach its folder.
  chmodSync(folder, 0o755);
  const mounted: Mounted[] = [];
  const results: Results = {};
  try {
    const builtOn = allRows(noTree, options.quick).flatMap(({ name, after }) =>
      after !== undefined && options.rows?.includes(name) === true ? [after] : [],
    );
    const isWanted = ({ name, bars }: Row): boolean =>
      ((options.rows?.includes(name) ?? true) || builtOn.includes(name)) &&
      // The limit makes the others slow without saying more.
      (store !== 'slow disk' || bars.some((bar) => bar.store === store));
    const needsTree = allRows(noTree, options.quick).some(
      (row) => isWanted(row) && /untar|md5|ls|rm/.test(row.name),
    );
    const tree = needsTree ? await sourceTree(source, options.quick) : noTree;
    const rows = allRows(tree, options.quick).filter(isWanted);
    const needed = systems.filter((name) => rows.some((row) => row.systems.includes(name)));
    for (const name of needed) mounted.push(await mounts[name](folder, cas));
    const measured = new Map<Row, Measured>(rows.map((row) => [row, { times: {}, diskShare: 0 }]));
    for (let run = 0; run < options.runs; run++) {
      for (const row of rows) {
        const into = measured.get(row) as Measured;
        for (const one of mounted)
          if (row.systems.includes(one.name)) await measureOnce(row, one, folder, into);
        if (run < options.runs - 1) continue;
        const bars = row.bars.flatMap((bar) => judge(bar, store, into) ?? []);
        const cells = systems.map((name) => cell(into.times[name]).padStart(19));
        console.log(`${row.name.padEnd(20)}${cells.join('')}`);
        for (const bar of bars) console.log(`${''.padEnd(22)}${bar}`);
        results[row.name] = {
          milliseconds: Object.fromEntries(
            Object.entries(into.times).map(([name, values]) => [name, summary(values)]),
          ),
          bars,
        };
      }
    }
  } finally {
    for (const one of mounted) await one.unmount();
    rmSync(folder, { recursive: true, force: true });
    rmSync(source, { recursive: true, force: true });
  }
  return results;
}

const notes = [
  'milliseconds, min/median/max of all runs: their spread is the noise of this machine; pgbench: for 1000 transactions',
  'ensconce: fsync returns when CAS has the tag (the default); batched: durability tag-follows-100ms, collected: durability collected-100ms',
  'CAS and LAS are processes of this machine whose database is on disk; tags go over an attested TLS connection; the hardware is simulated',
  `slow disk: the same disk, held to ${slow / 1e6} MB/s in each direction`,
  'loop: the volume and its FUSE loop without encryption and without CAS, the ceiling',
];

export async function benchVolume(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      tmpfs: { type: 'boolean', default: false },
      disk: { type: 'boolean', default: false },
      'slow-disk': { type: 'boolean', default: false },
      runs: { type: 'string' },
      rows: { type: 'string' },
    },
  });
  const runs = wholeNumber('--runs', values.runs, 1, 1, 1000);
  const wanted = values.rows?.split(',').map((name) => name.trim());
  const known = allRows(noTree, values.quick).map(({ name }) => name);
  const unknown = wanted?.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Misuse(`--rows: ${known.join(', ')} expected, ${unknown} found`);
  checkInstalled();
  const machine = `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} processors`;
  const result: Record<string, Results> = {};
  const asked: Record<Store, boolean> = {
    tmpfs: values.tmpfs,
    disk: values.disk,
    'slow disk': values['slow-disk'],
  };
  const some = Object.values(asked).includes(true);
  const cas = await startTagCas();
  try {
    for (const [store, parent] of stores) {
      if (some && !asked[store]) continue;
      const limit = store === 'slow disk' ? limitDisk(parent, slow) : () => undefined;
      if (!limit) {
        console.log(
          `\nvolume on ${store}: SKIPPED, no blkio controller of cgroups version 1 that limits a disk`,
        );
        continue;
      }
      console.log(`\nvolume on ${store}; ${machine}, load ${loadavg()[0]?.toFixed(2)}`);
      console.log(`${''.padEnd(20)}${systems.map((name) => name.padStart(19)).join('')}`);
      const options = { quick: values.quick, runs, rows: wanted };
      try {
        result[store] = await measureStore(store, parent, cas, options);
      } finally {
        limit();
      }
    }
  } finally {
    await cas.close();
  }
  for (const note of notes) console.log(note);
  const results = join(dirname(fileURLToPath(import.meta.url)), 'results');
  mkdirSync(results, { recursive: true });
  writeFileSync(
    join(results, 'volume.json'),
    `${JSON.stringify({ machine, notes, result }, undefined, 2)}\n`,
  );
}
