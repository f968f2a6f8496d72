import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { DigestCache } from './digest-cache.ts';
import { readManifest } from './folder.ts';
import { manifestDigest } from './manifest.ts';

function scratch(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'ensconce-measurement-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, 'bin'), { mode: 0o755 });
  mkdirSync(join(folder, 'host'), { mode: 0o755 });
  writeFileSync(join(folder, 'bin', 'node'), 'an executable', { mode: 0o555 });
  writeFileSync(join(folder, 'runtime.mjs'), 'source', { mode: 0o444 });
  symlinkSync('bin/node', join(folder, 'node'));
  return folder;
}

const digest = (folder: string): string => manifestDigest(readManifest(folder));

void test('a manifest lists folders, files and links below a folder', (t) => {
  const folder = scratch(t);
  const listed = readManifest(folder).map(({ path, type }) => `${type} ${path}`);
  assert.deepEqual(listed.toSorted(), [
    'directory bin',
    'directory host',
    'file bin/node',
    'file runtime.mjs',
    'symlink node',
  ]);
});

void test('each kind of change to a folder changes its digest, times and place do not', (t) => {
  const before = digest(scratch(t));
  const changed = (change: (folder: string) => void): string => {
    const folder = scratch(t);
    change(folder);
    return digest(folder);
  };
  assert.equal(
    changed(() => undefined),
    before,
  );
  assert.equal(
    changed((folder) => utimesSync(join(folder, 'runtime.mjs'), 1, 1)),
    before,
  );
  const others = [
    changed((folder) => renameSync(join(folder, 'runtime.mjs'), join(folder, 'Runtime.mjs'))),
    changed((folder) => chmodSync(join(folder, 'runtime.mjs'), 0o445)),
    changed((folder) => writeFileSync(join(folder, 'runtime.mjs'), 'Source')),
    changed((folder) => {
      rmSync(join(folder, 'node'));
      symlinkSync('bin/nodejs', join(folder, 'node'));
    }),
    changed((folder) => writeFileSync(join(folder, 'etc'), '')),
    changed((folder) => mkdirSync(join(folder, 'etc'))),
    changed((folder) => chmodSync(join(folder, 'host'), 0o777)),
  ];
  assert.equal(new Set([before, ...others]).size, others.length + 1);
});

void test('what lies below an opaque folder does not count, the folder does', (t) => {
  const folder = scratch(t);
  const opaque = new Set(['host']);
  const before = manifestDigest(readManifest(folder, { opaque }));
  writeFileSync(join(folder, 'host', 'file'), '');
  execFileSync('mkfifo', [join(folder, 'host', 'fifo')]);
  assert.equal(manifestDigest(readManifest(folder, { opaque })), before);
  rmSync(join(folder, 'host'), { recursive: true });
  assert.notEqual(manifestDigest(readManifest(folder, { opaque })), before);
});

void test('fifos and devices are refused, and never opened', (t) => {
  const folder = scratch(t);
  execFileSync('mkfifo', [join(folder, 'fifo')]);
  assert.throws(() => readManifest(folder), { code: 'FOLDER_INVALID' });
  assert.throws(() => new DigestCache().file(join(folder, 'fifo')), { code: 'FOLDER_INVALID' });
  assert.throws(() => readManifest('/dev'), { code: 'FOLDER_INVALID' });
  assert.throws(() => new DigestCache().file('/dev/zero'), { code: 'FOLDER_INVALID' });
});

void test('a link in place of a file is not followed, unless that was asked for', (t) => {
  const path = join(scratch(t), 'node');
  assert.throws(() => new DigestCache().file(path), { code: 'ELOOP' });
  assert.equal(new DigestCache().file(path, true).mode, 0o555);
});

void test('names and targets that are not UTF-8 are refused, because two of them would look alike', (t) => {
  const folder = scratch(t);
  symlinkSync(Buffer.from([0xff]), join(folder, 'link'));
  assert.throws(() => readManifest(folder), { code: 'FOLDER_INVALID' });
  rmSync(join(folder, 'link'));
  writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xfe])]), '');
  assert.throws(() => readManifest(folder), { code: 'FOLDER_INVALID' });
});

void test('a cached digest is forgotten when the file changes, whatever its size and mtime', (t) => {
  const path = join(scratch(t), 'runtime.mjs');
  const later = (): bigint => BigInt(Date.now() + 60_000) * 1_000_000n;
  const cache = new DigestCache(10, later);
  const first = cache.file(path);
  assert.deepEqual(cache.file(path), first);
  utimesSync(path, 1, 1);
  chmodSync(path, 0o644);
  assert.deepEqual(cache.file(path), { ...first, mode: 0o644 });
  writeFileSync(path, 'SOURCE');
  utimesSync(path, 1, 1);
  assert.notEqual(cache.file(path).sha256, first.sha256);
});

void test('a file that changed just now is not cached: its times may not show the next change', (t) => {
  const path = join(scratch(t), 'runtime.mjs');
  const cache = new DigestCache();
  for (const text of ['aaaaaa', 'bbbbbb', 'cccccc', 'dddddd']) {
    writeFileSync(path, text, { mode: 0o644 });
    const digest = cache.file(path).sha256;
    assert.equal(digest, new DigestCache().file(path).sha256);
  }
});

void test('a cache keeps so many digests and no more', (t) => {
  const folder = scratch(t);
  const cache = new DigestCache(1, () => BigInt(Date.now() + 60_000) * 1_000_000n);
  const [a, b] = [join(folder, 'bin', 'node'), join(folder, 'runtime.mjs')];
  assert.notEqual(cache.file(a).sha256, cache.file(b).sha256);
  assert.equal(cache.file(a).sha256, new DigestCache().file(a).sha256);
});
