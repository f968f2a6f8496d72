import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Entry } from '@ensconce/fuse/attributes';
import { caller, create, name, open, root } from '../test/machine.ts';
import type { Machine } from '../test/machine.ts';
import { MemoryBacking } from '../test/memory-backing.ts';
import { checkVolume } from './check.ts';
import { MemoryTagKeeper } from './tag-keeper.ts';

const files = 300;
const fileSize = 8000;
/** At most this much is moved between two requests while nobody writes. */
const stride = 256 * 1024;
const frames = 1.2;

function write({ fs }: Machine, text: string, size: number, fill: number): void {
  const entry = new Entry();
  fs.lookup(root, name(text), entry);
  if (entry.node === 0) assert.equal(fs.mknod(root, name(text), 0o100644, 0, entry, caller), 0);
  assert.equal(fs.write(entry.node, 0, 0, size, Buffer.alloc(size, fill), 0, 0), size);
  fs.forget(entry.node, 1);
  fs.after();
}

/** A volume whose segments are half full of what no file holds any more. */
function halfDead() {
  const backing = new MemoryBacking();
  const keeper = new MemoryTagKeeper();
  create(backing, keeper);
  const machine = open(backing, keeper, 7, 400_000);
  for (let i = 0; i < files; i++) {
    write(machine, `kept-${i}`, fileSize, i % 256);
    write(machine, 'churn', fileSize, i % 256);
    machine.volume.commitAndWait(i % 50 === 0);
  }
  machine.volume.commitAndWait(true);
  const size = (): number => [...backing.files.values()].reduce((sum, bytes) => sum + bytes.length, 0);
  let seen = backing.steps.length;
  /** Bytes written to the directory since the last call. */
  const written = (): number => {
    machine.volume.commitAndWait();
    const steps = backing.steps.slice(seen);
    seen = backing.steps.length;
    return steps.reduce((sum, step) => sum + (step.kind === 'write' ? step.bytes.length : 0), 0);
  };
  const intact = (): void => {
    assert.deepEqual(checkVolume({ volume: machine.volume }).problems, []);
    const again = open(new MemoryBacking(backing.files), new MemoryTagKeeper(keeper.read()), 8);
    for (let i = 0; i < files; i++) {
      const entry = new Entry();
      again.fs.lookup(root, name(`kept-${i}`), entry);
      const data = Buffer.alloc(fileSize);
      assert.equal(again.fs.read(entry.node, 0, 0, fileSize, data, 0), fileSize);
      assert.ok(data.equals(Buffer.alloc(fileSize, i % 256)), `kept-${i}`);
      again.fs.after();
    }
  };
  return { machine, size, written, intact };
}

void test('what sparse segments hold moves while nobody asks, and little of it before somebody can ask again', () => {
  const { machine, size, written, intact } = halfDead();
  const before = size();
  written();
  let [turns, most] = [0, 0];
  for (let now = 10_000; ; now += 1000) {
    const wait = machine.fs.tick(now);
    most = Math.max(most, written());
    if (wait > 1000) break;
    turns++;
  }
  assert.ok(turns > (files * fileSize) / stride, String(turns));
  // The last one stores the tree as well.
  assert.ok(most < 2 * stride, String(most));
  assert.ok(size() < 0.7 * before, `${before} → ${size()}`);
  intact();
});

void test('while programs only read, nothing moves; while they write, as much as they write', () => {
  const { machine, size, written, intact } = halfDead();
  // A round begins.
  machine.fs.tick(10_000);
  machine.fs.after();
  machine.fs.tick(10_001);
  written();
  for (let i = 0; i < 100; i++) {
    machine.fs.after();
    machine.fs.tick(10_002 + i);
  }
  assert.ok(written() < 10_000);
  const before = size();
  let own = 0;
  for (let i = 0; i < 40; i++) {
    // Whole cells, which are sealed as they come.
    write(machine, 'stream', 128 * 1024, i);
    own += 128 * 1024;
    machine.fs.tick(11_000 + i);
  }
  const all = written();
  assert.ok(all > 1.3 * own && all < 2.2 * own * frames, `${own} of ${all}`);
  assert.ok(size() < before + own, `${before} → ${size()}`);
  intact();
});

void test('a program that writes to a file as it moves loses nothing', () => {
  const { machine, written, intact } = halfDead();
  machine.fs.tick(10_000);
  for (let turn = 0; turn < 60; turn++) {
    // Not sealed yet when the rest of the cell moves.
    const entry = new Entry();
    for (let i = turn * 5; i < turn * 5 + 5; i++) {
      machine.fs.lookup(root, name(`kept-${i}`), entry);
      assert.equal(machine.fs.write(entry.node, 0, 4096, 100, Buffer.alloc(100, i % 256), 0, 0), 100);
      machine.fs.forget(entry.node, 1);
      machine.fs.after();
    }
    machine.fs.tick(10_001 + 2 * turn);
    machine.fs.tick(10_002 + 2 * turn);
  }
  written();
  intact();
});
