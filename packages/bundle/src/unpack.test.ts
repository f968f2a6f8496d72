import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { pack, type Header } from 'tar-stream';
import { unpackLayer, type LayerBlob } from './unpack.ts';

const tarType = 'application/vnd.oci.image.layer.v1.tar';
const signal = new AbortController().signal;

type Entry = Partial<Header> & { readonly name: string } & { readonly content?: string | Buffer };

async function tar(entries: readonly Entry[]): Promise<Buffer> {
  const archive = pack();
  for (const { content, ...header } of entries) archive.entry(header, content ?? '');
  archive.finalize();
  return buffer(archive);
}

function scratch(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'ensconce-unpack-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function blob(folder: string, bytes: Uint8Array, mediaType = tarType): LayerBlob {
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  const path = join(folder, 'blob');
  writeFileSync(path, bytes);
  return { path, mediaType, digest };
}

const good: readonly Entry[] = [
  { name: '.ensconce/', type: 'directory', mode: 0o755 },
  { name: '.ensconce/bin/node', mode: 0o555, content: 'node' },
  { name: './.ensconce/image', mode: 0o6444, content: '{}' },
];

void test('folders and files below /.ensconce are unpacked, once, with their permissions and no rights of root', async (t) => {
  const [folder, cache] = [scratch(t), join(scratch(t), 'cache')];
  const bytes = await tar(good);
  for (const [mediaType, encoded] of [
    [tarType, bytes],
    [`${tarType}+gzip`, gzipSync(bytes)],
    [`${tarType}+zstd`, zstdCompressSync(bytes)],
  ] as const) {
    const layer = blob(folder, encoded, mediaType);
    const unpacked = await unpackLayer(layer, cache, signal);
    assert.equal(unpacked, join(cache, layer.digest.replace(':', '-')));
    assert.equal(readFileSync(join(unpacked, '.ensconce', 'bin', 'node'), 'utf8'), 'node');
    assert.equal(statSync(join(unpacked, '.ensconce', 'bin', 'node')).mode & 0o7777, 0o555);
    assert.equal(statSync(join(unpacked, '.ensconce', 'image')).mode & 0o7777, 0o444);
    rmSync(layer.path);
    assert.equal(await unpackLayer(layer, cache, signal), unpacked);
  }
  assert.equal(readdirSync(cache).length, 3);
});

const refused: readonly (readonly [string, Entry, RegExp])[] = [
  [
    'a path that climbs',
    { name: '.ensconce/../../etc/x', content: 'x' },
    /a path below \/.ensconce expected/,
  ],
  ['a path that climbs from below', { name: '.ensconce/x/..', content: 'x' }, /a path below/],
  ['an absolute path elsewhere', { name: '/etc/passwd', content: 'x' }, /a path below/],
  ['a path beside /.ensconce', { name: '.ensconce2/x', content: 'x' }, /a path below/],
  ['a path elsewhere', { name: 'etc/passwd', content: 'x' }, /"etc\/passwd" found/],
  ['a symbolic link', { name: '.ensconce/x', type: 'symlink', linkname: '/etc' }, /a symlink found/],
  ['a hard link', { name: '.ensconce/x', type: 'link', linkname: '/etc/passwd' }, /a link found/],
  [
    'a device',
    { name: '.ensconce/x', type: 'character-device', devmajor: 1, devminor: 3 },
    /a character-device found/,
  ],
  ['a fifo', { name: '.ensconce/x', type: 'fifo' }, /a fifo found/],
];

for (const [what, entry, message] of refused) {
  void test(`refused, and nothing is left: ${what}`, async (t) => {
    const [folder, cache] = [scratch(t), scratch(t)];
    // Much behind the entry, so that reading goes on while it is refused.
    const rest = { name: '.ensconce/large', content: Buffer.alloc(500_000) };
    const layer = blob(folder, await tar([...good, entry, rest]));
    await assert.rejects(unpackLayer(layer, cache, signal), { code: 'BUNDLE_UNPACK', message });
    assert.deepEqual(readdirSync(cache), []);
  });
}

void test('an absolute path below /.ensconce stands for one of the layer', async (t) => {
  const cache = scratch(t);
  const layer = blob(scratch(t), await tar([{ name: '/.ensconce/x', content: 'x' }]));
  const unpacked = await unpackLayer(layer, cache, signal);
  assert.equal(readFileSync(join(unpacked, '.ensconce', 'x'), 'utf8'), 'x');
});

void test('blobs that are not what they should be are refused, and nothing is left', async (t) => {
  const cache = scratch(t);
  const bytes = await tar([...good, { name: '.ensconce/large', content: Buffer.alloc(300_000, 'large') }]);
  const zipped = gzipSync(bytes);
  const layer = (content: Uint8Array, mediaType?: string): LayerBlob => blob(scratch(t), content, mediaType);
  const cases: readonly LayerBlob[] = [
    { ...layer(bytes), digest: `sha256:${'0'.repeat(64)}` },
    layer(zipped.subarray(0, zipped.length - 20), `${tarType}+gzip`),
    layer(zipped.subarray(0, 100), `${tarType}+gzip`),
    layer(bytes.subarray(0, bytes.length - 100_000)),
    layer(bytes, `${tarType}+gzip`),
    layer(Buffer.alloc(1024, 'garbage')),
    { ...layer(bytes), path: '/nowhere' },
    { ...layer(bytes), digest: 'sha256:../../x' },
    { ...layer(bytes), digest: `sha512:${'0'.repeat(128)}` },
    layer(bytes, 'constructor'),
    layer(bytes, 'application/vnd.docker.image.rootfs.foreign.diff.tar'),
  ];
  for (const [index, wrong] of cases.entries()) {
    await assert.rejects(unpackLayer(wrong, cache, signal), { code: 'BUNDLE_UNPACK' }, `case ${index}`);
    assert.deepEqual(readdirSync(cache), []);
  }
});

void test('two unpack one layer at once, and both have it', async (t) => {
  const [folder, cache] = [scratch(t), scratch(t)];
  const layer = blob(
    folder,
    await tar([...good, { name: '.ensconce/large', content: Buffer.alloc(300_000) }]),
  );
  const both = await Promise.all([unpackLayer(layer, cache, signal), unpackLayer(layer, cache, signal)]);
  assert.equal(both[0], both[1]);
  assert.deepEqual(readdirSync(cache), [layer.digest.replace(':', '-')]);
});

void test('an interrupted unpacking leaves nothing that looks finished', async (t) => {
  const [folder, cache] = [scratch(t), scratch(t)];
  const layer = blob(folder, await tar(good));
  await assert.rejects(unpackLayer(layer, cache, AbortSignal.abort()));
  assert.deepEqual(readdirSync(cache), []);
  assert.equal(existsSync(layer.path), true);
});
