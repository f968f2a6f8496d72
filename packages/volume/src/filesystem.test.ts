import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Attributes, Entry } from '@ensconce/fuse/attributes';
import { MemoryBacking } from '../test/memory-backing.ts';
import { caller, create, generator, name, open, root } from '../test/machine.ts';
import type { Machine } from '../test/machine.ts';
import { checkVolume } from './check.ts';
import { MemoryTagKeeper } from './tag-keeper.ts';
import { cellBytes } from './units.ts';

const files = 5000;

interface Known {
  readonly node: number;
  mode: number;
  seconds: number;
  data: Buffer;
}

const change = {
  valid: 0x21,
  handle: -1,
  size: 0,
  uid: 0,
  gid: 0,
  atime: 0,
  atimeNanoseconds: 0,
  mtimeNanoseconds: 7,
  ctime: 0,
  ctimeNanoseconds: 0,
};

function verify({ fs }: Machine, known: readonly Known[], step: number): void {
  const attributes = new Attributes();
  const data = Buffer.alloc(cellBytes);
  for (let i = 0; i < known.length; i += step) {
    const { node, mode, seconds, data: expected } = known[(i * 2711) % known.length] as Known;
    fs.getattr(node, -1, attributes);
    assert.deepEqual(
      [attributes.ino, attributes.mode, attributes.mtime, attributes.size, attributes.links],
      [node, 0o100000 | mode, seconds, expected.length, 1],
    );
    assert.equal(fs.read(node, 0, 0, data.length, data, 0), expected.length);
    assert.ok(data.subarray(0, expected.length).equals(expected));
    fs.after();
  }
}

void test('files are right whatever of them is in memory', () => {
  const backing = new MemoryBacking();
  const keeper = new MemoryTagKeeper();
  create(backing, keeper);
  const machine = open(backing, keeper, 5);
  const { fs, volume } = machine;
  const next = generator(11);
  const known: Known[] = [];
  const entry = new Entry();
  for (let i = 0; i < files; i++) {
    assert.equal(fs.mknod(root, name(`file ${i}`), 0o100600, 0, entry, caller), 0);
    known.push({ node: entry.node, mode: 0o600, seconds: entry.attributes.mtime, data: Buffer.alloc(0) });
    fs.after();
  }
  for (let step = 0; step < 3 * files; step++) {
    // Also files whose places in memory are the same, one right after the other.
    const file = known[step % 3 === 0 ? next(files) : (step * 2048) % files] as Known;
    if (step % 2 === 0) {
      file.mode = next(0o1000);
      file.seconds = step;
      assert.equal(fs.setattr(file.node, { ...change, mode: file.mode, mtime: step }, entry.attributes), 0);
    } else {
      const data = Buffer.alloc(1 + next(step % 50 === 1 ? cellBytes : 300), step);
      const before = fs.getattr(file.node, -1, entry.attributes);
      assert.equal(before, 0);
      assert.equal(fs.write(file.node, 0, 0, data.length, data, 0, 0), data.length);
      file.data = Buffer.concat([data, file.data.subarray(data.length)]);
      fs.getattr(file.node, -1, entry.attributes);
      file.seconds = entry.attributes.mtime;
    }
    fs.after();
    if (step % 5000 === 4999) volume.commitAndWait();
  }
  verify(machine, known, 1);
  volume.commitAndWait(true);
  const again = open(backing, keeper, 6);
  verify(again, known, 3);
  for (const [i, { node }] of known.entries()) {
    fs.forget(node, 1);
    fs.after();
    if (i % 2 === 0) continue;
    assert.equal(again.fs.unlink(root, name(`file ${i}`)), 0);
    again.fs.after();
  }
  verify(
    again,
    known.filter((_, i) => i % 2 === 0),
    5,
  );
  again.volume.commitAndWait();
  assert.deepEqual(checkVolume({ volume: again.volume }).problems, []);
});

void test('whole cells that cannot be sealed after the answer wait for the next commit', () => {
  const backing = new MemoryBacking();
  const keeper = new MemoryTagKeeper();
  create(backing, keeper);
  const machine = open(backing, keeper, 7);
  const { fs, volume } = machine;
  const entry = new Entry();
  assert.equal(fs.mknod(root, name('file'), 0o100600, 0, entry, caller), 0);
  volume.commitAndWait();
  const data = Buffer.alloc(64 * cellBytes, 1);
  assert.equal(fs.write(entry.node, 0, 0, data.length, data, 0, 0), data.length);
  backing.free = 0;
  const copy = Buffer.from(data);
  assert.throws(() => fs.after(), { code: 'ENOSPC' });
  data.fill(2);
  const found = Buffer.alloc(copy.length);
  assert.equal(fs.read(entry.node, 0, 0, found.length, found, 0), found.length);
  assert.ok(found.equals(copy));
  assert.throws(() => volume.commitAndWait(), { code: 'VOLUME_FULL' });
  backing.free = 1e12;
  volume.commitAndWait();
  const again = open(backing, keeper, 8);
  found.fill(0);
  assert.equal(again.fs.read(entry.node, 0, 0, found.length, found, 0), found.length);
  assert.ok(found.equals(copy));
  assert.deepEqual(checkVolume({ volume: again.volume }).problems, []);
});
