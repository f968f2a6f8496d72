import assert from 'node:assert/strict';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { addFiles, check, createVolume, extract, parseVolumeKey, rekey, showVolume } from './commands.ts';
import { commitRecordSize } from './commit-record.ts';
import { frameOverhead } from './frame.ts';
import { headSize } from './head.ts';
import { headerSize } from './header.ts';

const volumeKey = new Uint8Array(32).fill(8);

function scratch(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'ensconce-commands-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of ['data', 'source', 'out']) mkdirSync(join(folder, name));
  return folder;
}

void test('create, add, show, check, rekey and extract', async (t) => {
  const folder = scratch(t);
  const place = {
    directory: join(folder, 'data'),
    volumeKey,
    keeper: { kind: 'file', path: join(folder, 'tag') },
  } as const;
  createVolume(place);
  const source = join(folder, 'source');
  mkdirSync(join(source, 'sub'));
  writeFileSync(join(source, 'sub', 'large'), Buffer.alloc(500_000, 'secret '));
  writeFileSync(join(source, 'small'), 'PLAINTEXT-MARKER');
  symlinkSync('small', join(source, 'link'));
  addFiles(place, source);
  const summary = showVolume(place);
  assert.ok(summary.rollbackProtected && summary.liveBytes > 500_000);
  assert.deepEqual((await check(place)).problems, []);

  for (const name of readdirSync(place.directory)) {
    const bytes = readFileSync(join(place.directory, name));
    for (const plain of ['PLAINTEXT-MARKER', 'secret ', 'small', 'large'])
      assert.equal(bytes.indexOf(plain), -1, `${plain} in ${name}`);
  }

  const other = new Uint8Array(32).fill(9);
  rekey(place, other);
  await assert.rejects(check(place), { code: 'VOLUME_KEY' });
  const rekeyed = { ...place, volumeKey: other };
  const report = extract(rekeyed, join(folder, 'out'));
  assert.deepEqual(report.problems, []);
  assert.deepEqual(readFileSync(join(folder, 'out', 'sub', 'large')), Buffer.alloc(500_000, 'secret '));
  assert.equal(readFileSync(join(folder, 'out', 'link'), 'utf8'), 'PLAINTEXT-MARKER');
});

void test('check names what is damaged, and extract gets out the rest', async (t) => {
  const folder = scratch(t);
  const place = { directory: join(folder, 'data'), volumeKey };
  createVolume(place);
  writeFileSync(join(folder, 'source', 'a'), Buffer.alloc(100_000, 'a'));
  writeFileSync(join(folder, 'source', 'b'), Buffer.alloc(100_000, 'b'));
  addFiles(place, join(folder, 'source'));
  const segment = readdirSync(place.directory).findLast((name) => name.endsWith('.segment')) as string;
  const bytes = readFileSync(join(place.directory, segment));
  (bytes[20_000] as number) ^= 1;
  writeFileSync(join(place.directory, segment), bytes);
  const { problems } = await check(place);
  assert.equal(problems.length, 1, problems.join('\n'));
  assert.match(
    problems[0] as string,
    /^\/[ab] \(inode \d+\) at 0 KiB: 0000000.\.segment: the frame that was written/,
  );
  const report = extract(place, join(folder, 'out'));
  assert.equal(report.problems.length, 1);
  const whole = ['a', 'b'].filter((name) =>
    readFileSync(join(folder, 'out', name)).equals(Buffer.alloc(100_000, name)),
  );
  assert.equal(whole.length, 1);
});

void test('a volume of format 1 stays readable', async (t) => {
  const folder = scratch(t);
  const golden = fileURLToPath(new URL('../test/golden/v1', import.meta.url));
  cpSync(golden, join(folder, 'data'), { recursive: true });
  const place = { directory: join(folder, 'data'), volumeKey: new Uint8Array(32).fill(1) };
  const summary = showVolume(place);
  assert.equal(summary.volumeId, '3de1a8229a961cf039b8d0adc2ff97bc');
  assert.deepEqual((await check(place)).problems, []);
  extract(place, join(folder, 'out'));
  assert.equal(readFileSync(join(folder, 'out', 'directory', 'file'), 'utf8'), 'golden\n');
  assert.equal(readFileSync(join(folder, 'out', 'cells')).length, 70_000);
  assert.equal(readFileSync(join(folder, 'out', 'link'), 'utf8'), 'golden\n');
});

void test('sizes are those of docs/formats/volume.md', () => {
  assert.deepEqual([headerSize, headSize, commitRecordSize, frameOverhead], [144, 112, 120, 24]);
});

void test('a key is 32 bytes or 64 digits', () => {
  assert.deepEqual(parseVolumeKey(Buffer.from(`${'01'.repeat(32)}\n`)), new Uint8Array(32).fill(1));
  assert.throws(() => parseVolumeKey(Buffer.from('short')), { code: 'VOLUME_KEY' });
});
