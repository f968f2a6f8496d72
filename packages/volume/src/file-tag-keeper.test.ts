import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileTagKeeper } from './file-tag-keeper.ts';
import type { Advance, TagKeeper } from './tag-keeper.ts';

const tagOf = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);

function scratch(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'ensconce-tag-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'tag');
}

function advance(keeper: TagKeeper, epoch: number, from: Uint8Array, to: Uint8Array): Advance {
  let result: Advance | undefined;
  keeper.advance(epoch, from, to, (answer) => (result = answer));
  assert.ok(result);
  return result;
}

void test('of two keepers of one file the later writer shuts the earlier one out', (t) => {
  const path = scratch(t);
  const [first, second] = [fileTagKeeper(path), fileTagKeeper(path)];
  assert.deepEqual(first.read(), { tag: undefined, epoch: 0 });
  assert.equal(first.acquire(first.read(), tagOf(1)), 1);
  assert.equal(second.acquire({ tag: undefined, epoch: 0 }, tagOf(1)), undefined);
  assert.equal(second.acquire(second.read(), tagOf(1)), 2);
  assert.equal(advance(first, 1, tagOf(1), tagOf(2)), 'superseded');
  assert.equal(advance(second, 2, tagOf(1), tagOf(3)), 'accepted');
  assert.equal(advance(second, 2, tagOf(1), tagOf(3)), 'accepted', 'asked again');
  assert.equal(readFileSync(path, 'utf8'), `ensconce-tag 1 2 ${'03'.repeat(32)}\n`);
});

void test('a file of another form is refused, and what cannot be written is not promised', (t) => {
  const path = scratch(t);
  const keeper = fileTagKeeper(path);
  keeper.acquire(keeper.read(), tagOf(1));
  writeFileSync(path, 'ensconce-tag 2 1 -\n');
  assert.throws(() => keeper.read(), { code: 'VOLUME_FORMAT' });
  assert.equal(advance(keeper, 1, tagOf(1), tagOf(2)), 'unreachable');
  rmSync(join(path, '..'), { recursive: true });
  assert.equal(advance(keeper, 1, tagOf(1), tagOf(2)), 'unreachable');
});
