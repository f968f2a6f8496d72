import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { utf8 } from '@ensconce/base/bytes';
import type { LayerEntry } from './entry.ts';
import { createCaches } from './caches.ts';
import { SealedLayer } from './reader.ts';
import { SealedLayerWriter } from './writer.ts';
import { MergedTree } from './merged-tree.ts';
import { attributes, key, openSealed, seal, type Content } from './test/sealing.ts';

const file = (path: string, contents: Uint8Array, more = {}): [LayerEntry, Content] => [
  { kind: 'file', path: utf8(path), ...attributes, ...more },
  contents,
];

function readAll(layer: SealedLayer, inode: number): Uint8Array {
  const { size } = layer.attributes(inode);
  const bytes = new Uint8Array(size);
  assert.equal(layer.read(inode, 0, size + 10, bytes, 0), size);
  return bytes;
}

function inodeOf(layer: SealedLayer, ...names: string[]): number {
  let inode = 0;
  for (const name of names) {
    const found = layer.find(inode, utf8(name))?.inode;
    assert.ok(found !== undefined, `${names.join('/')} is there`);
    inode = found;
  }
  return inode;
}

const pieces = fc.array(
  fc.oneof(
    fc.record({ zeros: fc.integer({ min: 0, max: 40_000 }) }),
    fc.record({ fill: fc.integer({ min: 1, max: 255 }), length: fc.integer({ min: 0, max: 70_000 }) }),
    fc.record({ random: fc.uint8Array({ maxLength: 5000 }) }),
  ),
  { maxLength: 8 },
);

function contentsOf(list: typeof pieces extends fc.Arbitrary<infer T> ? T : never): Uint8Array {
  return Buffer.concat(
    list.map((piece) => {
      if ('zeros' in piece) return Buffer.alloc(piece.zeros);
      if ('random' in piece) return piece.random;
      return Buffer.alloc(piece.length, piece.fill);
    }),
  );
}

void test('files of any contents are read as they were, in any pieces, at any offset', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(pieces, { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 1, max: 100_000 }),
      fc.float({ min: 0, max: 1, noNaN: true }),
      fc.nat(200_000),
      async (lists, cut, where, length) => {
        const files = lists.map(contentsOf);
        const sealed = await seal(
          files.map((contents, i) => file(`f${i}`, contents)),
          { cut },
        );
        const again = await seal(files.map((contents, i) => file(`f${i}`, contents)));
        assert.equal(sealed.root, again.root);
        assert.deepEqual(sealed.bytes, again.bytes);
        const layer = openSealed(sealed);
        for (const [i, contents] of files.entries()) {
          const inode = inodeOf(layer, `f${i}`);
          assert.ok(Buffer.from(contents).equals(readAll(layer, inode)));
          const offset = Math.floor(where * contents.length);
          const into = new Uint8Array(length + 7).fill(0xaa);
          const count = layer.read(inode, offset, length, into, 7);
          assert.ok(
            Buffer.from(contents.subarray(offset, offset + length)).equals(into.subarray(7, 7 + count)),
          );
          assert.equal(count, Math.min(length, contents.length - offset));
        }
      },
    ),
    { numRuns: 40 },
  );
});

void test('a tree of any names keeps names, order and attributes', async () => {
  const name = fc
    .uint8Array({ minLength: 1, maxLength: 255 })
    .map((bytes) => bytes.map((byte) => (byte === 0 || byte === 0x2f ? 0xff : byte)))
    .filter((bytes) => !/^(?:\.\.?$|\.wh\.)/.test(Buffer.from(bytes).toString('latin1')));
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(name, { maxLength: 60, selector: (bytes) => Buffer.from(bytes).toString('latin1') }),
      fc.record({
        mode: fc.nat(0o7777),
        uid: fc.nat(0xffff_ffff),
        gid: fc.nat(0xffff_ffff),
        mtimeSeconds: fc.integer({ min: -1e12, max: 1e12 }),
        mtimeNanoseconds: fc.nat(999_999_999),
      }),
      async (names, common) => {
        const entries = names.map((path, i): [LayerEntry, Content] => {
          const base = { path, ...common, xattrs: [{ name: utf8('user.n'), value: path }] };
          if (i % 4 === 1) return [{ ...base, kind: 'symlink', target: path }, undefined];
          if (i % 4 === 2) return [{ ...base, kind: 'character', major: 4_000_000_000, minor: i }, undefined];
          if (i % 4 === 3) return [{ ...base, kind: 'directory' }, undefined];
          return [{ ...base, kind: 'file' }, path];
        });
        const layer = openSealed(await seal(entries));
        const tree = new MergedTree([layer]);
        const listed: Buffer[] = [];
        tree.list(1, 0, (name) => listed.push(Buffer.from(name)) > 0);
        assert.deepEqual(
          listed,
          names.map((path) => Buffer.from(path)).toSorted((a, b) => Buffer.compare(a, b)),
        );
        for (const [i, path] of names.entries()) {
          const node = tree.lookup(1, path) as number;
          const found = tree.attributes(node);
          assert.equal(found.mode, common.mode);
          assert.equal(found.uid, common.uid);
          assert.equal(found.gid, common.gid);
          assert.equal(found.mtimeSeconds, common.mtimeSeconds);
          assert.equal(found.mtimeNanoseconds, common.mtimeNanoseconds);
          assert.equal(found.ino, node);
          assert.deepEqual(tree.xattr(node, utf8('user.n')), path);
          if (i % 4 === 1) assert.deepEqual(tree.readlink(node), path);
          if (i % 4 === 2) assert.deepEqual([found.rdevMajor, found.rdevMinor], [4_000_000_000, i]);
        }
        assert.equal(tree.lookup(1, utf8('.wh.absent')), undefined);
      },
    ),
    { numRuns: 40 },
  );
});

void test('hard links are one inode, later entries win, holes take no place', async () => {
  const sparse = Buffer.alloc(1_000_000);
  sparse.write('end', 999_990);
  const sealed = await seal([
    file('a', utf8('first')),
    file('d/sparse', sparse),
    [{ kind: 'hardlink', path: utf8('b'), target: utf8('./a') }, undefined],
    file('a', utf8('second')),
    [{ kind: 'hardlink', path: utf8('c'), target: utf8('/b') }, undefined],
    file('empty', new Uint8Array(0)),
  ]);
  const layer = openSealed(sealed);
  assert.equal(Buffer.from(readAll(layer, inodeOf(layer, 'a'))).toString(), 'second');
  assert.equal(Buffer.from(readAll(layer, inodeOf(layer, 'c'))).toString(), 'first');
  assert.equal(inodeOf(layer, 'b'), inodeOf(layer, 'c'));
  assert.equal(layer.attributes(inodeOf(layer, 'b')).links, 2);
  assert.equal(layer.attributes(inodeOf(layer, 'a')).links, 1);
  assert.equal(layer.attributes(inodeOf(layer, 'empty')).size, 0);
  assert.ok(layer.isImplicit(inodeOf(layer, 'd')));
  assert.equal(layer.attributes(inodeOf(layer, 'd', 'sparse')).size, 1_000_000);
  assert.ok(layer.attributes(inodeOf(layer, 'd', 'sparse')).blocks <= 16);
  assert.ok(sparse.equals(readAll(layer, inodeOf(layer, 'd', 'sparse'))));
});

void test('caches of the smallest size give the same bytes', async () => {
  const contents = Buffer.from(Array.from({ length: 60_000 }, (_, i) => `line ${i}\n`).join(''));
  const many = Array.from({ length: 3000 }, (_, i) => file(`dir/${'n'.repeat(200)}${i}`, utf8(`${i}`)));
  const sealed = await seal([file('big', contents), ...many]);
  const layer = openSealed(sealed, createCaches({ pageBytes: 0, chunkBytes: 0 }));
  assert.ok(contents.equals(readAll(layer, inodeOf(layer, 'big'))));
  for (let i = 0; i < 3000; i += 7) {
    const inode = inodeOf(layer, 'dir', `${'n'.repeat(200)}${i}`);
    assert.equal(Buffer.from(readAll(layer, inode)).toString(), `${i}`);
  }
});

const refused: readonly [string, LayerEntry[], string][] = [
  ['a path with ..', [{ kind: 'file', path: utf8('a/../../b'), ...attributes }], 'SEALED_ENTRY'],
  ['a name of 256 bytes', [{ kind: 'file', path: utf8('n'.repeat(256)), ...attributes }], 'SEALED_ENTRY'],
  ['a hard link to nothing', [{ kind: 'hardlink', path: utf8('a'), target: utf8('b') }], 'SEALED_ENTRY'],
  [
    'an entry through a link',
    [
      { kind: 'symlink', path: utf8('a'), target: utf8('/etc'), ...attributes },
      { kind: 'file', path: utf8('a/passwd'), ...attributes },
    ],
    'SEALED_ENTRY',
  ],
];
for (const [what, entries, code] of refused) {
  void test(`the writer refuses ${what}`, async () => {
    await assert.rejects(seal(entries.map((entry) => [entry, undefined])), { code });
  });
}

void test('a failed write is reported and leaves no rejection behind', async () => {
  const full = new Error('no space');
  const writer = new SealedLayerWriter({ key, output: { write: () => Promise.reject(full) } });
  await writer.add({ kind: 'file', path: utf8('a'), ...attributes });
  await assert.rejects(async () => {
    for (let i = 0; i < 100; i++) await writer.write(Buffer.alloc(100_000, i + 1));
    await writer.finish();
  }, full);
});
