import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { blockBytes, DirectoryBacking } from './backing.ts';
import { diskCalls } from './disk-calls.ts';

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'ensconce-backing-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** How the descriptors of this process that point to `path` are open. */
function flagsOf(path: string): number[] {
  const found: number[] = [];
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      if (readlinkSync(`/proc/self/fd/${fd}`) !== path) continue;
      const flags = /flags:\t([0-7]+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1];
      found.push(Number.parseInt(flags ?? '', 8));
    } catch {
      // Closed meanwhile: the one that lists the folder.
    }
  }
  return found;
}

const direct = 0o40000;

void test('blocks that are written past the page cache are those that are read, and ordinary writes go between them', (t) => {
  const folder = folderOf(t);
  const backing = new DirectoryBacking(folder, false, diskCalls());
  const memory = backing.blockMemory(16 * blockBytes);
  memory.set(randomBytes(memory.length));
  const file = backing.create('file');
  const expected = Buffer.alloc(20 * blockBytes);
  const put = (position: number, at: number, length: number): void => {
    expected.set(memory.subarray(at, at + length), position);
  };
  file.writeBlocks?.(0, memory, 0, 4 * blockBytes);
  put(0, 0, 4 * blockBytes);
  const read = new Uint8Array(100);
  assert.equal(file.read(3 * blockBytes, read, 0, 100), 100);
  assert.deepEqual(read, memory.subarray(3 * blockBytes, 3 * blockBytes + 100));
  file.write(3 * blockBytes + 50, memory, 77, 9000);
  put(3 * blockBytes + 50, 77, 9000);
  file.writeBlocks?.(3 * blockBytes, memory, 8 * blockBytes, blockBytes);
  put(3 * blockBytes, 8 * blockBytes, blockBytes);
  file.writeBlocks?.(4 * blockBytes, memory, 0, 16 * blockBytes);
  put(4 * blockBytes, 0, 16 * blockBytes);
  const all = new Uint8Array(expected.length + 1);
  assert.equal(file.read(0, all, 0, all.length), expected.length);
  assert.ok(expected.equals(all.subarray(0, expected.length)));
  const found = flagsOf(join(folder, 'file'));
  assert.deepEqual([found.length, found.filter((flags) => flags & direct).length], [2, 1]);
  file.sync();
  file.close();
  assert.deepEqual(flagsOf(join(folder, 'file')), []);
  assert.ok(expected.equals(readFileSync(join(folder, 'file'))));
});

void test('where that cannot be, blocks are written as everything else is', (t) => {
  const folder = folderOf(t);
  const misaligned = {
    ...diskCalls(),
    blockMemory: (size: number) => new Uint8Array(size + 1).subarray(1),
  };
  for (const backing of [new DirectoryBacking(folder), new DirectoryBacking(folder, false, misaligned)]) {
    const memory = backing.blockMemory(4 * blockBytes);
    memory.set(randomBytes(memory.length));
    const file = backing.create('file');
    file.writeBlocks?.(0, memory, blockBytes + 3, 2 * blockBytes);
    file.writeBlocks?.(2 * blockBytes, memory, 3, blockBytes);
    file.close();
    const expected = [
      memory.subarray(blockBytes + 3, 3 * blockBytes + 3),
      memory.subarray(3, blockBytes + 3),
    ];
    assert.ok(Buffer.concat(expected).equals(readFileSync(join(folder, 'file'))));
    backing.remove('file');
  }
});

void test('a file that can only be read is not opened for writing past the page cache', (t) => {
  const folder = folderOf(t);
  const file = new DirectoryBacking(folder).create('file');
  file.close();
  const reader = new DirectoryBacking(folder, true, diskCalls());
  const memory = reader.blockMemory(blockBytes);
  const open = reader.open('file');
  assert.equal(open.read(0, memory, 0, blockBytes), 0);
  assert.equal(flagsOf(join(folder, 'file')).length, 1);
  open.close();
});
