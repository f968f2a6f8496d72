import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadKoffi } from '@ensconce/fuse/native';
import { aead, create, volumeKey } from '../test/machine.ts';
import { MemoryBacking } from '../test/memory-backing.ts';
import { MemoryTagKeeper } from './tag-keeper.ts';
import { Volume } from './volume.ts';
import { diskCalls } from './disk-calls.ts';
import { segmentOfName } from './frame.ts';

function opened(): { backing: MemoryBacking; volume: Volume } {
  const backing = new MemoryBacking();
  const keeper = new MemoryTagKeeper();
  create(backing, keeper);
  const volume = Volume.open({ backing, keeper, volumeKey, aead, random: randomBytes, log: () => undefined });
  return { backing, volume };
}

void test('the disk begins with a stream while it comes, and not with what a small commit flushes at once', () => {
  const { backing, volume } = opened();
  const cell = new Uint8Array(64 * 1024).fill(1);
  for (let i = 0; i < 64; i++) volume.writeUnit(cell);
  assert.ok(backing.begun.length >= 3, `${backing.begun.length}`);
  const [first] = backing.begun;
  assert.ok(first);
  let end = first.position;
  for (const { name, position, length } of backing.begun) {
    assert.deepEqual([name, position], [first.name, end]);
    end += length;
  }
  assert.ok((backing.files.get(first.name)?.length ?? 0) >= end);
  volume.commitAndWait();
  const before = backing.begun.length;
  for (let i = 0; i < 20; i++) {
    volume.writeUnit(cell.subarray(0, 4096));
    volume.commitAndWait();
  }
  assert.equal(backing.begun.length, before);
  volume.close();
});

void test('the file of one who flushes often grows seldom, and that of one who flushes much each time', () => {
  const { backing, volume } = opened();
  const unit = new Uint8Array(60 * 1024).fill(1);
  /** Different sizes of the newest file while `units` units were flushed at a time, 40 times. */
  const sizes = (units: number): number => {
    const found = new Set<number>();
    for (let i = 0; i < 40; i++) {
      for (let j = 0; j < units; j++) volume.writeUnit(unit);
      volume.put(Uint8Array.of(200, i), Uint8Array.of(units));
      volume.commitAndWait();
      const name = [...backing.files.keys()].filter(segmentOfName).sort().at(-1) ?? '';
      if (i >= 8) found.add(backing.files.get(name)?.length ?? 0);
    }
    return found.size;
  };
  const [often, much] = [sizes(6), sizes(12)];
  assert.ok(often <= 7, `12 MB, 2 MiB at a time: ${often}`);
  assert.ok(much >= 30, `${much}`);
  volume.close();
});

const huge = readFileSync('/sys/kernel/mm/transparent_hugepage/enabled', 'utf8');

void test(
  'memory for blocks begins a huge page, and the kernel is asked for more of them',
  { skip: huge.includes('[never]') ? 'the kernel gives no huge pages' : false },
  () => {
    const memory = diskCalls().blockMemory(3 * 1024 * 1024 + 5);
    assert.equal(memory.length, 3 * 1024 * 1024 + 5);
    const move = loadKoffi().load(null).func('uintptr_t memmove(void *to, const void *from, size_t length)');
    const address = move(memory, memory, 0) as number;
    assert.equal(address % (2 * 1024 * 1024), 0);
    memory.fill(7);
    assert.equal(memory.at(-1), 7);
    // A mapping, and what follows of it up to its flags; hg: proc_pid_smaps(5).
    const mappings = readFileSync('/proc/self/smaps', 'utf8').matchAll(
      /^([0-9a-f]+)-([0-9a-f]+) [^]*?^VmFlags:(.*)$/gm,
    );
    const own = mappings.find(([, from = '', to = '']) => {
      return parseInt(from, 16) <= address && address + memory.length <= parseInt(to, 16);
    });
    assert.match(own?.[3] ?? '', / hg /);
  },
);

void test('telling the disk changes nothing, and what is no file of a disk is left alone', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'ensconce-writeback-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const calls = diskCalls();
  const path = join(folder, 'file');
  const fd = openSync(path, 'w');
  writeSync(fd, 'contents');
  calls.startWriteback(fd, 0, 8);
  calls.startWriteback(fd, 1_000_000, 8);
  closeSync(fd);
  assert.equal(readFileSync(path, 'utf8'), 'contents');
  const device = openSync('/dev/null', 'w');
  calls.startWriteback(device, 0, 8);
  closeSync(device);
});
