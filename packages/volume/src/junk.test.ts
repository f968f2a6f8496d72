import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { addFiles, check, createVolume, showVolume } from './commands.ts';
import { segmentName } from './frame.ts';
import { headName, headSize } from './head.ts';

const volumeKey = new Uint8Array(32).fill(8);

function scratch(t: TestContext): { folder: string; directory: string } {
  const folder = mkdtempSync(join(tmpdir(), 'ensconce-junk-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of ['data', 'source', 'empty']) mkdirSync(join(folder, name));
  const directory = join(folder, 'data');
  createVolume({ directory, volumeKey });
  writeFileSync(join(folder, 'source', 'file'), Buffer.alloc(100_000, 'file'));
  addFiles({ directory, volumeKey }, join(folder, 'source'));
  return { folder, directory };
}

interface Measured {
  readonly files?: number;
  readonly log: readonly string[];
  readonly seconds: number;
  readonly megabytes: number;
}

async function measure(what: 'show' | 'check' | 'write', directory: string): Promise<Measured> {
  const script = fileURLToPath(new URL('../test/measure-command.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [script, what, directory]);
  return JSON.parse(stdout) as Measured;
}

/** `ENSCONCE_LONG_TESTS=10` for a million. */
const each = 33_000 * Number(process.env['ENSCONCE_LONG_TESTS'] ?? 1);

void test('a directory full of junk costs time for each name, no memory and no answer', async (t) => {
  const { directory } = scratch(t);
  const clean = { show: await measure('show', directory), check: await measure('check', directory) };
  const head = Buffer.alloc(headSize, 'ENSCHEAD');
  for (let i = 0; i < each; i++) {
    writeFileSync(join(directory, `${i} of the attacker`), '');
    // Of writers that there never were: each looks like a state to start from until it is opened.
    writeFileSync(join(directory, headName(i + 1000)), head);
    writeFileSync(join(directory, segmentName(i + 1000)), '');
  }
  for (const what of ['show', 'check', 'write'] as const) {
    const found = await measure(what, directory);
    const usual = clean[what === 'check' ? 'check' : 'show'].megabytes;
    t.diagnostic(`${what}: ${found.seconds.toFixed(2)} s, ${(found.megabytes - usual).toFixed(0)} MiB more`);
    assert.deepEqual([found.log, found.files], [[], clean[what === 'check' ? 'check' : 'show'].files]);
    // A name that is kept costs 100 bytes and more: ten times as much junk must not need more memory.
    assert.ok(found.megabytes - usual < 48, `${found.megabytes} MiB, ${usual} without junk`);
    assert.ok(found.seconds < 30, `${found.seconds} s`);
  }
  // Files of higher numbers could be those of a later writer.
  assert.ok(
    readdirSync(directory).length > 3 * each,
    'what is not known to be of earlier writers is left alone',
  );
});

void test('what is no file under the name of one is passed over', async (t) => {
  const { folder, directory } = scratch(t);
  const place = { directory, volumeKey };
  const before = showVolume(place);
  for (const name of [headName, segmentName]) {
    // Of 0 a writer thinks that a writer before it left it.
    for (const number of [0, 200]) mkdirSync(join(directory, name(number)));
    symlinkSync('/dev/zero', join(directory, name(201)));
    execFileSync('mkfifo', [join(directory, name(202))]);
  }
  assert.deepEqual(showVolume(place), before);
  assert.deepEqual((await check(place)).problems, []);
  const log: string[] = [];
  mkdirSync(join(folder, 'more'));
  writeFileSync(join(folder, 'more', 'other'), 'other');
  addFiles({ ...place, log: (line) => log.push(line) }, join(folder, 'more'));
  assert.match(log.join('\n'), /^2 files that nothing refers to could not be removed, the first of them /);
  assert.deepEqual((await check(place)).problems, []);
  const left = readdirSync(directory);
  for (const name of [headName, segmentName])
    for (const number of [0, 200, 201, 202]) assert.ok(left.includes(name(number)), name(number));
});
