import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { SealedLayerError } from './errors.ts';
import { MergedTree } from './merged-tree.ts';
import { peekHeader, SealedLayer } from './reader.ts';
import { compressor } from './writer.ts';
import { goldenEntries } from './test/golden.ts';
import { key, openSealed, seal, type Sealed } from './test/sealing.ts';
import { walk } from './test/walk.ts';

const goldenFile = new URL('../golden/v1.sealed', import.meta.url);
const goldenRoot = '1ccaa6840f8c54441ddf2ae35c259e32bae16d1b79530b5d2cf80c23376f8ee4';

function golden(): Sealed {
  const bytes = new Uint8Array(readFileSync(goldenFile));
  return { bytes, root: goldenRoot, size: bytes.length, nodes: 0, chunks: 0, totalBytes: 0 };
}

void test('golden/v1.sealed is read as golden/v1.json lists it', () => {
  const tree = new MergedTree([openSealed(golden())]);
  const listed: unknown = JSON.parse(readFileSync(new URL('../golden/v1.json', import.meta.url), 'utf8'));
  assert.deepEqual(
    walk(tree).map((line): unknown => JSON.parse(line)),
    listed,
  );
  assert.equal(tree.nodeCount, 13);
});

void test('the writer still makes golden/v1.sealed', async (t) => {
  if (compressor !== 'zstd 1.5.7 level 5') {
    t.skip(`made with zstd 1.5.7 level 5, this is ${compressor}`);
    return;
  }
  assert.ok(Buffer.from((await seal(goldenEntries)).bytes).equals(readFileSync(goldenFile)));
});

void test('whatever byte is flipped, the layer is refused or reads the same', () => {
  const sealed = golden();
  const expected = walk(new MergedTree([openSealed(sealed)]));
  for (let i = 0; i < sealed.bytes.length; i++) {
    for (const mask of [0x01, 0x80]) {
      const bytes = sealed.bytes.slice();
      bytes[i] = (bytes[i] as number) ^ mask;
      try {
        assert.deepEqual(walk(new MergedTree([openSealed({ ...sealed, bytes })])), expected);
        assert.fail(`byte ${i} means nothing`);
      } catch (error) {
        if (!(error instanceof SealedLayerError)) throw error;
      }
    }
  }
});

void test('a truncated or extended file is refused at every length', () => {
  const sealed = golden();
  for (let length = 0; length < sealed.bytes.length; length += 13) {
    assert.throws(() => openSealed({ ...sealed, bytes: sealed.bytes.slice(0, length) }), SealedLayerError);
  }
  const longer = new Uint8Array(sealed.bytes.length + 1);
  longer.set(sealed.bytes);
  assert.throws(() => openSealed({ ...sealed, bytes: longer }), { code: 'SEALED_READ' });
});

void test('another key, root, version, flag or file is named as such', () => {
  const sealed = golden();
  const open = (change: (bytes: Uint8Array) => void, more = {}, reroot = true) => {
    const bytes = sealed.bytes.slice();
    change(bytes);
    let root = sealed.root;
    if (reroot) {
      try {
        root = peekHeader(bytes.subarray(0, 256)).root;
      } catch (error) {
        assert.ok(error instanceof SealedLayerError);
      }
    }
    return () =>
      SealedLayer.open({
        name: 'test',
        key,
        root,
        size: bytes.length,
        readAt: (into, position) => {
          into.set(bytes.subarray(position, position + into.length));
          return into.length;
        },
        ...more,
      });
  };
  const same = () => {};
  assert.throws(open(same, { key: new Uint8Array(32) }), { code: 'SEALED_KEY' });
  assert.throws(open(same, { root: '0'.repeat(64) }), { code: 'SEALED_ROOT' });
  assert.throws(
    open((bytes) => (bytes[16] = 2)),
    { code: 'SEALED_VERSION' },
  );
  assert.throws(
    open((bytes) => (bytes[20] = 1)),
    { code: 'SEALED_FEATURE' },
  );
  assert.throws(
    open((bytes) => (bytes[0] = 1)),
    { code: 'SEALED_HEADER' },
  );
  assert.throws(
    open((bytes) => (bytes[200] = 1)),
    { code: 'SEALED_HEADER' },
  );
  assert.throws(
    open((bytes) => (bytes[100] = (bytes[100] as number) ^ 1)),
    { code: 'SEALED_DAMAGED' },
  );
  assert.throws(
    open((bytes) => (bytes[100] = (bytes[100] as number) ^ 1), {}, false),
    { code: 'SEALED_ROOT' },
  );
  assert.throws(
    open(same, {
      readAt: () => {
        throw new Error('EIO');
      },
    }),
    { code: 'SEALED_READ' },
  );
});
