/**
 * `outside-suites.ts [DIRECTORY]`, by hand and as root: what others wrote to try file systems, on a volume of its own (or
 * on DIRECTORY, to compare), for a few seconds each; then the volume is checked. Debian has them all
 * (`apt-get install fio dbench bonnie++ fsmark stress-ng`); what is not installed is said to be left out. Exit code 1 where
 * one fails. Each takes a processor for its time: not beside measurements.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { check, createVolume } from '../src/commands.ts';
import { mountVolume } from '../src/mount.ts';

/** What fio writes it reads again and compares, also with what it wrote over. */
const fio = '--name=job --size=24m --bs=4k-96k --verify=crc32c --verify_fatal=1 --group_reporting';
const metadata = 'access chmod chown copy-file dentry dir dirdeep fallocate fcntl flock fpunch getdent hdd';
const more = 'iomix link locka lockf lockofd mknod mmap msync open rename revio seek symlink touch';
const others = 'utime xattr io-uring sendfile splice';

/** Each a script of sh, run in an empty folder of its own. */
const suites: Readonly<Record<string, { program: string; script: string }>> = {
  'fio, random writes': { program: 'fio', script: `fio ${fio} --rw=randrw --ioengine=psync` },
  'fio, direct': {
    program: 'fio',
    script: `fio ${fio} --rw=randwrite --direct=1 --ioengine=libaio --iodepth=8`,
  },
  'fio, mapped': { program: 'fio', script: `fio ${fio} --rw=randwrite --ioengine=mmap --fsync=64` },
  'fio, four at once': { program: 'fio', script: `fio ${fio} --rw=write --numjobs=4 --fallocate=native` },
  'fio, flushed': { program: 'fio', script: `fio ${fio} --rw=randwrite --fdatasync=8` },
  dbench: { program: 'dbench', script: 'dbench -t 8 -D . 4' },
  'bonnie++': { program: 'bonnie++', script: 'bonnie++ -u root -d . -s 32m -r 16m -n 2 -q' },
  fs_mark: { program: 'fs_mark', script: 'fs_mark -d . -n 2000 -s 4096 -t 2 -S 1' },
  ...Object.fromEntries(
    `${metadata} ${more} ${others}`.split(' ').map((stressor) => [
      `stress-ng ${stressor}`,
      {
        program: 'stress-ng',
        script: `stress-ng --temp-path . --verify --quiet --no-rand-seed --timeout 2 --hdd-bytes 8m --iomix-bytes 8m --revio-bytes 8m --${stressor} 1`,
      },
    ]),
  ),
};

/** How many of them failed in `folder`. */
function runAll(folder: string): number {
  let failed = 0;
  for (const [name, { program, script }] of Object.entries(suites)) {
    if (spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0) {
      console.log(`left out  ${name}: ${program} is not installed`);
      continue;
    }
    const cwd = mkdtempSync(join(folder, 'suite-'));
    const began = performance.now();
    const done = spawnSync('sh', ['-ec', script], { cwd, encoding: 'utf8', timeout: 120_000 });
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    const passed = done.status === 0;
    console.log(`${passed ? 'passed  ' : 'FAILED  '}  ${name} (${seconds} s)`);
    if (!passed) {
      failed++;
      console.log(`${done.stdout}${done.stderr}`.trimEnd().split('\n').slice(-12).join('\n'));
    }
    rmSync(cwd, { recursive: true, force: true });
  }
  return failed;
}

async function onVolume(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'ensconce-suites-'));
  const [directory, mountpoint] = [join(folder, 'data'), join(folder, 'mnt')];
  for (const path of [directory, mountpoint]) mkdirSync(path);
  const keeper = { kind: 'file', path: join(folder, 'tag') } as const;
  const volume = { directory, volumeKey: new Uint8Array(32).fill(3), keeper };
  try {
    createVolume(volume);
    const served = await mountVolume({ ...volume, mountpoint, log: (line) => console.log(line) });
    let failed: number;
    try {
      failed = runAll(mountpoint);
    } finally {
      await served.unmount({ lazy: true });
    }
    const { files, problems } = await check(volume);
    console.log(`check: ${files} files, ${problems.length} problems`);
    for (const problem of problems) console.log(problem);
    return failed + problems.length;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const [given] = process.argv.slice(2);
const failed = given === undefined ? await onVolume() : runAll(given);
process.exitCode = failed > 0 ? 1 : 0;
