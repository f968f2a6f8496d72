import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '@ensconce/base/bytes';
import { createCaches } from './caches.ts';
import type { LayerEntry } from './entry.ts';
import { MergedTree } from './merged-tree.ts';
import { attributes, openSealed, seal, type Content } from './test/sealing.ts';
import { walk } from './test/walk.ts';

type Line = readonly [LayerEntry, Content];
const file = (path: string, contents = path): Line => [
  { kind: 'file', path: utf8(path), ...attributes },
  utf8(contents),
];
const directory = (path: string, mode = 0o755): Line => [
  { kind: 'directory', path: utf8(path), ...attributes, mode },
  undefined,
];

async function merge(...layers: Line[][]): Promise<MergedTree> {
  const sealed = await Promise.all(layers.map((entries) => seal(entries)));
  return new MergedTree(sealed.map((layer) => openSealed(layer)));
}

function paths(tree: MergedTree): string[] {
  return walk(tree).map((line) => (JSON.parse(line) as string[])[0] as string);
}

function find(tree: MergedTree, path: string): number {
  let node = 1;
  for (const name of path.split('/')) {
    const next = tree.lookup(node, utf8(name));
    assert.ok(next !== undefined, `${path} is there`);
    node = next;
  }
  return node;
}

function text(tree: MergedTree, path: string): string {
  const node = find(tree, path);
  const bytes = new Uint8Array(tree.attributes(node).size);
  tree.read(node, 0, bytes.length, bytes, 0);
  return Buffer.from(bytes).toString();
}

void test('upper files replace lower ones, directories merge, whiteouts hide', async () => {
  const tree = await merge(
    [
      directory('d', 0o700),
      file('d/a', 'low a'),
      file('d/b'),
      file('d/sub/x'),
      file('gone/deep'),
      file('was-file'),
    ],
    [
      directory('d', 0o711),
      file('d/.wh.b', ''),
      file('d/a', 'high a'),
      file('.wh.gone', ''),
      file('was-file/in'),
    ],
    [file('d/c'), file('d/.wh.sub', ''), file('d/sub/y')],
  );
  assert.deepEqual(paths(tree), [
    '',
    '/d',
    '/d/a',
    '/d/c',
    '/d/sub',
    '/d/sub/y',
    '/was-file',
    '/was-file/in',
  ]);
  assert.equal(text(tree, 'd/a'), 'high a');
  assert.equal(tree.lookup(find(tree, 'd'), utf8('b')), undefined);
  assert.equal(tree.attributes(find(tree, 'd')).mode, 0o711);
});

void test('an opaque directory hides what is below it only', async () => {
  const tree = await merge(
    [file('d/low'), file('e/low')],
    [file('d/.wh..wh..opq', ''), file('d/middle')],
    [file('d/high')],
  );
  assert.deepEqual(paths(tree), ['', '/d', '/d/high', '/d/middle', '/e', '/e/low']);
});

void test('a whiteout in a middle layer does not hide what comes above it', async () => {
  const tree = await merge([file('f', '1')], [file('.wh.f', '')], [file('f', '3')]);
  assert.equal(text(tree, 'f'), '3');
});

void test('nodes are found again by their path after everything about them was forgotten', async () => {
  const tree = await merge([file('a/b/c/low')], [file('a/z')], [file('a/b/c/high')]);
  const c = find(tree, 'a/b/c');
  for (const path of ['a', 'a/b', 'a/b/c']) tree.forget(find(tree, path));
  tree.forget(1);
  const names: string[] = [];
  tree.list(c, 0, (name) => names.push(Buffer.from(name).toString()) > 0);
  assert.deepEqual(names, ['high', 'low']);
  assert.equal(tree.lookup(c, utf8('low')), find(tree, 'a/b/c/low'));
});

void test('a listing goes on where it stopped', async () => {
  const tree = await merge(
    Array.from({ length: 50 }, (_, i) => file(`d/${i * 2}`)),
    Array.from({ length: 50 }, (_, i) => file(`d/${i * 3}`)),
  );
  const d = find(tree, 'd');
  const all: string[] = [];
  tree.list(d, 0, (name) => all.push(Buffer.from(name).toString()) > 0);
  const stepped: string[] = [];
  for (let cursor = 0, more = true; more;) {
    more = false;
    tree.list(d, cursor, (name, _node, _kind, next) => {
      stepped.push(Buffer.from(name).toString());
      cursor = next;
      more = true;
      return stepped.length % 3 !== 0;
    });
  }
  assert.deepEqual(stepped, all);
  assert.equal(new Set(all).size, all.length);
});

void test('hard links share a node and a number', async () => {
  const tree = await merge([
    file('a'),
    [{ kind: 'hardlink', path: utf8('d/b'), target: utf8('a') }, undefined],
  ]);
  assert.equal(find(tree, 'a'), find(tree, 'd/b'));
  assert.equal(tree.attributes(find(tree, 'a')).links, 2);
});

void test('layers that share caches of the smallest size do not read what the other one gave up', async () => {
  const long = (i: number) => `d/${'n'.repeat(230)}${i}`;
  const layers = await Promise.all([
    seal(Array.from({ length: 700 }, (_, i) => file(long(i * 2), `low ${i * 2}`))),
    seal(Array.from({ length: 700 }, (_, i) => file(long(i * 3), `high ${i * 3}`))),
  ]);
  const caches = createCaches({ pageBytes: 0, chunkBytes: 0 });
  const small = new MergedTree(layers.map((layer) => openSealed(layer, caches)));
  const large = new MergedTree(layers.map((layer) => openSealed(layer)));
  assert.deepEqual(walk(small), walk(large));
  assert.equal(text(small, long(6)), 'high 6');
  assert.equal(text(small, long(4)), 'low 4');
});
