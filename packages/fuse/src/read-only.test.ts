import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { MemoryNode } from '../test/memory-tree.ts';
import { cannotMount, mounted } from '../test/mounted.ts';

const file = (text: string, more: Partial<MemoryNode> = {}): MemoryNode => ({
  kind: 'file',
  data: Buffer.from(text),
  ...more,
});
const options = { skip: cannotMount };

void test('everything a tree holds can be seen through the kernel', options, async (t) => {
  const { path } = await mounted(t, {
    root: {
      kind: 'directory',
      children: {
        'plain.txt': file('hello', { uid: 12, gid: 34, mode: 0o640, mtime: -5 }),
        su: file('x', { mode: 0o4755 }),
        link: { kind: 'symlink', target: 'plain.txt' },
        null: { kind: 'character', rdev: [1, 3], mode: 0o666 },
        pipe: { kind: 'fifo' },
        empty: file(''),
        'n\xffn-utf8': file('bytes'),
        ['l'.repeat(255)]: file('long'),
        attributed: file('x', { xattrs: { 'user.note': 'value', 'user.other': '' } }),
      },
    },
  });
  const stat = lstatSync(join(path, 'plain.txt'));
  assert.equal(stat.size, 5);
  assert.equal(stat.mode, 0o100640);
  assert.deepEqual([stat.uid, stat.gid, stat.nlink], [12, 34, 1]);
  assert.equal(Math.round(stat.mtimeMs), -5000 + 123);
  assert.equal(readFileSync(join(path, 'plain.txt'), 'utf8'), 'hello');
  assert.equal(lstatSync(join(path, 'su')).mode, 0o104755);
  assert.equal(readlinkSync(join(path, 'link')), 'plain.txt');
  assert.equal(lstatSync(join(path, 'null')).rdev, 0x103);
  assert.ok(lstatSync(join(path, 'pipe')).isFIFO());
  assert.equal(readFileSync(join(path, 'empty')).length, 0);
  assert.equal(readFileSync(join(path, 'l'.repeat(255)), 'utf8'), 'long');
  assert.equal(
    readFileSync(Buffer.concat([Buffer.from(`${path}/`), Buffer.from('n\xffn-utf8', 'latin1')]), 'utf8'),
    'bytes',
  );
  assert.equal(readdirSync(path).length, 9);
  assert.throws(() => lstatSync(join(path, 'absent')), { code: 'ENOENT' });
  assert.throws(() => lstatSync(join(path, 'absent')), { code: 'ENOENT' });
  assert.throws(() => lstatSync(join(path, 'l'.repeat(256))), { code: 'ENAMETOOLONG' });
  assert.throws(() => openSync(join(path, 'null'), 'r'), { code: 'EACCES' });
  assert.throws(() => writeFileSync(join(path, 'new'), 'x'));
  assert.equal(statfsSync(path).files, 10);
  const script = [
    'import os, sys; p = sys.argv[1]',
    'assert sorted(os.listxattr(p)) == ["user.note", "user.other"]',
    'assert os.getxattr(p, "user.note") == b"value"',
    'assert os.getxattr(p, "user.other") == b""',
  ].join('\n');
  execFileSync('python3', ['-c', script, join(path, 'attributed')]);
});

void test('a directory of 100,000 files is listed whole, plainly and with attributes', options, async (t) => {
  const { path } = await mounted(t, { many: 100_000 });
  const names = readdirSync(join(path, 'many'));
  assert.equal(new Set(names).size, 100_000);
  assert.equal(Number(execFileSync('sh', ['-c', `ls -lR ${path}/many | wc -l`])), 100_002);
});

void test('large files are right at every offset, also for many readers at once', options, async (t) => {
  const data = Buffer.alloc(5_000_001);
  for (let i = 0; i < data.length; i++) data[i] = (i * 7 + (i >> 8)) & 0xff;
  const { path } = await mounted(
    t,
    { root: { kind: 'directory', children: { big: { kind: 'file', data } } } },
    { workers: 2 },
  );
  const whole = await Promise.all(Array.from({ length: 8 }, () => readFile(join(path, 'big'))));
  for (const copy of whole) assert.ok(copy.equals(data));
  const fd = openSync(join(path, 'big'), 'r');
  const part = Buffer.alloc(10_000);
  for (const offset of [0, 1, 4095, 4096, 131_071, 1_048_575, 4_995_000, 5_000_000, 5_000_001]) {
    const length = readSync(fd, part, 0, part.length, offset);
    assert.ok(part.subarray(0, length).equals(data.subarray(offset, offset + part.length)));
  }
  closeSync(fd);
});

void test('a tree that fails answers EIO and says why in one line of the log', options, async (t) => {
  const { path, log, served } = await mounted(t, {
    root: {
      kind: 'directory',
      children: { bad: { kind: 'file', data: Buffer.alloc(10), broken: true }, good: file('good') },
    },
  });
  await assert.rejects(readFile(join(path, 'bad')), { code: 'EIO' });
  assert.equal(readFileSync(join(path, 'good'), 'utf8'), 'good');
  await served.unmount();
  assert.match(log.join('\n'), /request 15 on node 2: chunk 0: authentic bytes expected, others found/);
});
