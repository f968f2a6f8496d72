import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { needsMounts, place, volumeKey } from '../test/served-volume.ts';
import { check, createVolume } from './commands.ts';
import { mountVolume } from './mount.ts';
import type { Durability } from './settlement.ts';

interface Program {
  readonly name: string;
  /** Commands of which each ends well where what the script needs is installed. */
  readonly needs: readonly string[];
  /** Files that are never the same twice. */
  readonly varies: RegExp;
}

const programs: readonly Program[] = [
  // Indexes and logs hold times; packs depend on how threads shared the work.
  { name: 'git', needs: ['git --version', 'python3 --version'], varies: /(^|\/)\.git\// },
  { name: 'build', needs: ['gcc --version', 'make --version', 'python3 --version'], varies: /^$/ },
  // Compiled modules hold times.
  { name: 'python', needs: ['python3 -c "import ensurepip, venv"'], varies: /\.pyc$/ },
  // What two writers wrote in turn.
  { name: 'sqlite', needs: ['python3 -c "import sqlite3"'], varies: /\.db$/ },
];

function missing({ needs }: Program): string | boolean {
  const absent = needs.find((command) => spawnSync('sh', ['-c', command]).status !== 0);
  return absent === undefined ? needsMounts.skip : `SKIPPED: "${absent}" to end well is needed`;
}

async function run(name: string, folder: string): Promise<string> {
  const script = fileURLToPath(new URL(`../test/programs/${name}.sh`, import.meta.url));
  const env = { PATH: process.env['PATH'], HOME: folder, LC_ALL: 'C.UTF-8' };
  const limits = { timeout: 120_000, maxBuffer: 1 << 26 };
  const { stdout, stderr } = await promisify(execFile)('sh', [script], { cwd: folder, env, ...limits });
  assert.equal(stderr, '');
  return stdout;
}

/** Everything below a folder: kinds, modes, owners, links and contents. */
function contents(folder: string, varies: RegExp): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).toSorted();
  return names.flatMap((name) => {
    if (varies.test(name)) return [];
    const path = join(folder, name);
    const stat = lstatSync(path);
    const data = stat.isFile() ? createHash('sha256').update(readFileSync(path)).digest('hex') : '';
    const target = stat.isSymbolicLink() ? readlinkSync(path) : '';
    return `${name} ${stat.mode.toString(8)} ${stat.uid}:${stat.gid} ${stat.nlink} ${data}${target}`;
  });
}

/** Both ways in which what they write comes to the volume. */
const ways = (program: Program): [Program, Durability][] => [
  [program, 'settled'],
  [program, 'collected-100ms'],
];

void describe('programs do on a volume what they do on the file system below', () => {
  for (const [program, durability] of programs.flatMap(ways)) {
    const { name, varies } = program;
    void test(`${name} (${durability})`, { skip: missing(program), timeout: 300_000 }, async (t) => {
      const here = place(t);
      const volume = {
        directory: here.directory,
        volumeKey,
        keeper: { kind: 'file', path: here.tag },
      } as const;
      createVolume(volume);
      // At the same path, which some programs write into files.
      const expected = await run(name, here.mountpoint);
      const bare = contents(here.mountpoint, varies);
      for (const left of readdirSync(here.mountpoint))
        rmSync(join(here.mountpoint, left), { recursive: true });
      const mount = () => mountVolume({ ...here, ...volume, durability, log: (line) => assert.fail(line) });

      let served = await mount();
      const [began, found] = [performance.now(), await run(name, here.mountpoint)];
      t.diagnostic(`${((performance.now() - began) / 1000).toFixed(1)} s`);
      assert.equal(found, expected);
      await served.unmount();
      assert.deepEqual((await check(volume)).problems, []);
      served = await mount();
      assert.deepEqual(contents(here.mountpoint, varies), bare);
      await served.unmount();
      assert.ok(bare.length > 0 && expected.length > 0);
    });
  }
});
