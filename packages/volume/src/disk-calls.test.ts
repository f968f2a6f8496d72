import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { aead, create, volumeKey } from '../test/machine.ts';
import { MemoryBacking } from '../test/memory-backing.ts';
import { MemoryTagKeeper } from './tag-keeper.ts';
import { Volume } from './volume.ts';
import { diskCalls } from './disk-calls.ts';

void test('the disk begins with a stream while it comes, and not with what a small commit flushes at once', () => {
  const backing = new MemoryBacking();
  const keeper = new MemoryTagKeeper();
  create(backing, keeper);
  const volume = Volume.open({ backing, keeper, volumeKey, aead, random: randomBytes, log: () => undefined });
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
