import assert from 'node:assert/strict';
import { linkSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { aead, contents, create, name, open, overwrite, root, same, volumeKey } from '../test/machine.ts';
import type { Machine } from '../test/machine.ts';
import { MemoryBacking } from '../test/memory-backing.ts';
import { Entry } from '@ensconce/fuse/attributes';
import { DirectoryBacking } from './backing.ts';
import { checkVolume } from './check.ts';
import { segmentOfName, segmentSizeOn } from './frame.ts';
import { Spares } from './spares.ts';
import { MemoryTagKeeper } from './tag-keeper.ts';
import { Volume } from './volume.ts';

const segmentsOf = (backing: MemoryBacking): number[] =>
  [...backing.files.keys()].flatMap((file) => segmentOfName(file) ?? []);

/** A volume whose segments are emptied one after the other. */
function churned(rounds: number): Machine & { model: Map<string, Buffer>; keeper: MemoryTagKeeper } {
  const backing = new MemoryBacking();
  const keeper = new MemoryTagKeeper();
  create(backing, keeper);
  const machine = open(backing, keeper, 5);
  const model = new Map<string, Buffer>();
  for (let i = 0; i < rounds; i++) {
    overwrite(machine, model, i);
    machine.volume.commitAndWait();
  }
  return { ...machine, keeper, model };
}

void test('files of emptied segments become new ones, and none is left when the volume is closed', () => {
  const { backing, keeper, volume, model } = churned(100);
  assert.ok(backing.renames > 40, String(backing.renames));
  assert.ok(segmentsOf(backing).length <= 12, String(segmentsOf(backing).length));
  volume.commitAndWait(true);
  volume.close();
  const left = new MemoryBacking(backing.files);
  const again = open(left, keeper, 6);
  assert.ok(same(contents(again), model));
  assert.deepEqual(checkVolume({ volume: again.volume }).problems, []);
  assert.ok(segmentsOf(backing).length <= 3, String(segmentsOf(backing)));
});

void test('none is left when the file system ends, whose last commit empties segments', () => {
  const { backing, fs } = churned(100);
  fs.destroy();
  assert.ok(segmentsOf(backing).length <= 3, String(segmentsOf(backing)));
});

void test('where the directory is full, the files that were kept give their room back', () => {
  const { backing, fs } = churned(100);
  const before = segmentsOf(backing).length;
  // A little less than is left for metadata.
  backing.free = 2 * segmentSizeOn(backing.total) - 100_000;
  fs.tick(100);
  const entry = new Entry();
  fs.lookup(root, name('f0'), entry);
  assert.equal(fs.write(entry.node, 0, 0, 4096, Buffer.alloc(4096), 0, 0), 4096);
  assert.ok(segmentsOf(backing).length < before);
});

void test('where files cannot have another name, new ones are made', () => {
  const backing = new MemoryBacking();
  const keeper = new MemoryTagKeeper();
  create(backing, keeper);
  const refused = Object.assign(backing, {
    rename: () => {
      throw Object.assign(new Error('EPERM: no links here'), { code: 'EPERM' });
    },
  });
  const machine = open(refused, keeper, 5);
  const model = new Map<string, Buffer>();
  for (let i = 0; i < 60; i++) {
    overwrite(machine, model, i);
    machine.volume.commitAndWait();
  }
  assert.ok(same(contents(machine), model));
  assert.deepEqual(checkVolume({ volume: machine.volume }).problems, []);
  assert.ok(segmentsOf(backing).length <= 12, String(segmentsOf(backing)));
});

void test('who reads an older state beside the writer is told that a segment is gone, and not that it is damaged', () => {
  const backing = new MemoryBacking();
  const keeper = new MemoryTagKeeper();
  create(backing, keeper);
  const writer = open(backing, keeper, 5);
  const model = new Map<string, Buffer>();
  overwrite(writer, model, 1);
  writer.volume.commitAndWait();
  const options = {
    backing,
    keeper,
    volumeKey,
    aead,
    random: () => new Uint8Array(32),
    log: () => undefined,
  };
  const reader = Volume.openReadOnly({ ...options, segmentSize: 96 * 1024 });
  assert.deepEqual(checkVolume({ volume: reader }).problems, []);
  for (let i = 0; i < 60; i++) {
    overwrite(writer, model, i);
    writer.volume.commitAndWait();
  }
  assert.ok(backing.renames > 15);
  const { problems } = checkVolume({ volume: reader });
  assert.match(problems[0] ?? '', /a segment expected, none could be opened/);
});

void test('a file with two names is not kept: a crash may have left it the name of a later segment', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'ensconce-spares-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const spares = new Spares(new DirectoryBacking(folder));
  const backing = new DirectoryBacking(folder);
  const [alone, shared] = [backing.create('alone'), backing.create('shared')];
  for (const file of [alone, shared]) file.write(0, new Uint8Array(100), 0, 100);
  linkSync(join(folder, 'shared'), join(folder, 'later'));
  assert.equal(spares.keep('shared', shared, 100), false);
  assert.equal(spares.keep('alone', alone, 100), true);
  assert.throws(() => spares.take('later'), { code: 'EEXIST' });
  assert.equal(spares.take('next'), alone);
  assert.equal(spares.take('other'), undefined);
  assert.deepEqual(readdirSync(folder).sort(), ['later', 'next', 'shared']);
  alone.close();
  shared.close();
});

void test('a file gets another name while it is open, unless that name is taken', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'ensconce-spares-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const backing = new DirectoryBacking(folder);
  const [first, second] = [backing.create('first'), backing.create('second')];
  first.write(0, Buffer.from('one'), 0, 3);
  assert.throws(() => backing.rename('first', 'second'), { code: 'EEXIST' });
  assert.deepEqual(readdirSync(folder).sort(), ['first', 'second']);
  backing.rename('first', 'third');
  first.write(3, Buffer.from(' more'), 0, 5);
  assert.deepEqual(readdirSync(folder).sort(), ['second', 'third']);
  assert.equal(readFileSync(join(folder, 'third'), 'utf8'), 'one more');
  first.close();
  second.close();
});
