import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  readdirSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import * as fc from 'fast-check';
import { EnsconceError } from '@ensconce/base/errors';
import type { MergedTree } from '@ensconce/sealed-layer/merged-tree';
import { paxRecord, tarOf, temporaryDirectory } from './test/images.ts';
import { find, sealTar, textOf } from './test/sealed.ts';

function fileTree(t: TestContext): string {
  const root = join(temporaryDirectory(t), 'root');
  mkdirSync(join(root, 'a', 'l'.repeat(120), 'm'.repeat(130)), { recursive: true });
  writeFileSync(join(root, 'a', 'l'.repeat(120), 'm'.repeat(130), 'deep'), 'deep');
  writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff, 0xfe, 0x41])]), 'not UTF-8');
  writeFileSync(join(root, 'empty'), '');
  writeFileSync(join(root, 'setuid'), 'x', { mode: 0o755 });
  writeFileSync(join(root, 'big'), Buffer.alloc(700_000, 'abcdefghij'));
  chmodSync(join(root, 'setuid'), 0o4755);
  symlinkSync('../'.repeat(60), join(root, 'link'));
  linkSync(join(root, 'setuid'), join(root, 'a', 'hard'));
  const sparse = openSync(join(root, 'sparse'), 'w');
  for (let i = 0; i < 40; i++) writeSync(sparse, Buffer.from(`piece ${i + 10}`), 0, 8, i * 100_000 + 5000);
  ftruncateSync(sparse, 10_000_000);
  closeSync(sparse);
  utimesSync(join(root, 'empty'), -1.5, -1.5);
  return root;
}

function compare(tree: MergedTree, root: Buffer, node = 1, exactTimes = true): number {
  const found = lstatSync(root, { bigint: true });
  const attributes = tree.attributes(node);
  const where = root.toString('latin1');
  assert.equal(attributes.mode, Number(found.mode) & 0o7777, where);
  assert.equal(attributes.uid, Number(found.uid), where);
  const nanoseconds = BigInt(attributes.mtimeSeconds) * 1_000_000_000n + BigInt(attributes.mtimeNanoseconds);
  if (exactTimes) assert.equal(nanoseconds, found.mtimeNs, where);
  let count = 1;
  switch (attributes.kind) {
    case 'directory': {
      const children: [Buffer, number][] = [];
      tree.list(node, 0, (name, child) => children.push([Buffer.from(name), child]) > 0);
      const names = readdirSync(root, { encoding: 'buffer' }).toSorted((a, b) => Buffer.compare(a, b));
      assert.deepEqual(
        children.map(([name]) => name.toString('latin1')),
        names.map((name) => name.toString('latin1')),
      );
      for (const [name, child] of children)
        count += compare(tree, Buffer.concat([root, Buffer.from('/'), name]), child, exactTimes);
      break;
    }
    case 'file': {
      const bytes = new Uint8Array(attributes.size);
      assert.equal(tree.read(node, 0, bytes.length, bytes, 0), bytes.length);
      assert.ok(readFileSync(root).equals(bytes), where);
      assert.equal(attributes.links, Number(found.nlink), where);
      break;
    }
    case 'symlink':
      assert.deepEqual(Buffer.from(tree.readlink(node)), readlinkSync(root, { encoding: 'buffer' }), where);
      break;
    default:
      assert.fail(`${where}: ${attributes.kind}`);
  }
  return count;
}

const formats: readonly [string, string[], boolean][] = [
  ['GNU', ['--format=gnu'], false],
  ['GNU sparse', ['--format=gnu', '-S'], false],
  ['PAX', ['--format=pax', '--xattrs'], true],
  ['PAX sparse 0.0', ['--format=pax', '-S', '--sparse-version=0.0'], true],
  ['PAX sparse 0.1', ['--format=pax', '-S', '--sparse-version=0.1'], true],
  ['PAX sparse 1.0', ['--format=pax', '-S', '--sparse-version=1.0'], true],
];
for (const [name, flags, exactTimes] of formats) {
  void test(`a tree archived by GNU tar as ${name} is sealed as it is`, async (t) => {
    const root = fileTree(t);
    const made = spawnSync('tar', [...flags, '-C', root, '-cf', '-', '.'], { maxBuffer: 1 << 28 });
    if (made.error !== undefined || made.status !== 0) {
      t.skip('GNU tar is not installed here: nothing was compared');
      return;
    }
    const whole = await sealTar(made.stdout);
    assert.equal(compare(whole.tree, Buffer.from(root), 1, exactTimes), 12);
    const inPieces = await sealTar(made.stdout, 777);
    assert.equal(inPieces.result.root, whole.result.root);
    const sparse = whole.tree.attributes(find(whole.tree, 'sparse') as number);
    assert.ok(sparse.blocks * 512 < 1_000_000);
  });
}

void test('PAX records carry bytes: extended attributes, long paths, exact times', async () => {
  const capability = '\u0001\u0000\u0000\u0002=\n\u00ff';
  const pax = Buffer.from(
    paxRecord('path', `d/${'p'.repeat(200)}`) +
      paxRecord('SCHILY.xattr.security.capability', capability) +
      paxRecord('mtime', '1700000000.123456789') +
      paxRecord('uid', '4294967294'),
    'latin1',
  );
  const { tree } = await sealTar(
    tarOf([
      { name: 'x', type: 'x', body: pax },
      { name: 'short', body: 'text', mode: 0o4755 },
    ]),
  );
  const node = find(tree, `d/${'p'.repeat(200)}`) as number;
  const attributes = tree.attributes(node);
  assert.equal(attributes.mode, 0o4755);
  assert.equal(attributes.uid, 4_294_967_294);
  assert.deepEqual([attributes.mtimeSeconds, attributes.mtimeNanoseconds], [1_700_000_000, 123_456_789]);
  const value = tree.xattr(node, Buffer.from('security.capability'));
  assert.equal(Buffer.from(value ?? []).toString('latin1'), capability);
});

void test('an archive cut anywhere is refused, or lacks whole entries only', async () => {
  const tar = tarOf([
    { name: 'a', body: 'first'.repeat(200) },
    { name: 'b', body: 'second' },
  ]);
  for (let length = 0; length < tar.length; length += 64) {
    try {
      const { tree } = await sealTar(tar.subarray(0, length));
      for (const [path, text] of [
        ['a', 'first'.repeat(200)],
        ['b', 'second'],
      ] as const) {
        const found = textOf(tree, path);
        assert.ok(found === undefined || found === text);
      }
    } catch (error) {
      assert.ok(error instanceof EnsconceError, String(error));
    }
  }
});

void test('whatever bytes an archive has, only our own errors come of it', async () => {
  const tar = tarOf([
    { name: 'x', type: 'x', body: paxRecord('mtime', '1.5') + paxRecord('size', '5') },
    { name: 'a', body: 'hello' },
    { name: 'l', type: '1', link: 'a' },
    { name: 'n', type: 'L', body: 'long\0' },
    { name: 's', type: '2', link: 'a' },
  ]);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(tar.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
      fc.boolean(),
      async (changes, repair) => {
        const changed = Buffer.from(tar);
        for (const [at, byte] of changes) changed[at] = byte;
        if (repair)
          for (let at = 0; at < changed.length; at += 512) fixChecksum(changed.subarray(at, at + 512));
        try {
          await sealTar(changed, 1000);
        } catch (error) {
          if (!(error instanceof EnsconceError)) throw error;
        }
      },
    ),
    { numRuns: 300 },
  );
});

/** Without it, nearly every change would end at the checksum. */
function fixChecksum(block: Buffer): void {
  if (!block.subarray(257).toString('latin1').startsWith('ustar')) return;
  block.write('        ', 148);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
}
