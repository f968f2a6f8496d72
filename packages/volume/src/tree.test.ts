import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Location } from './frame.ts';
import { Page, pageHeaderSize } from './page.ts';
import { pageCapacity } from './page-memory.ts';
import { Tree } from './tree.ts';
import type { PageStore } from './tree.ts';

/** Keeps pages by number; a page that was released must not be read again. */
function memoryStore(): PageStore & { pages: Map<number, Uint8Array> } {
  const pages = new Map<number, Uint8Array>();
  let next = 1;
  return {
    pages,
    load: (location, level) => {
      const plain = pages.get(location.offset);
      assert.ok(plain, `page ${location.offset}`);
      return Page.decode(plain, level);
    },
    store: (page): Location => {
      const plain = page.encode(new Uint8Array(pageHeaderSize + pageCapacity)).slice();
      pages.set(next, plain);
      return { segment: 1, offset: next++, length: plain.length, tag: new Uint8Array(16) };
    },
    release: (location) => assert.ok(pages.delete(location.offset)),
  };
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

void test('a tree is a sorted map, also after it was stored and read again', () => {
  const step = fc.oneof(
    fc.record({
      do: fc.constant('put' as const),
      key: fc.uint8Array({ minLength: 1, maxLength: 4 }),
      size: fc.oneof(fc.nat(50), fc.nat(3800)),
    }),
    fc.record({ do: fc.constant('delete' as const), key: fc.uint8Array({ minLength: 1, maxLength: 4 }) }),
    fc.record({ do: fc.constant('store' as const) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const store = memoryStore();
      let tree = new Tree(store, undefined);
      const model = new Map<string, Uint8Array>();
      steps.forEach((action, i) => {
        if (action.do === 'put') {
          const value = new Uint8Array(action.size).fill(i);
          tree.put(action.key, value);
          model.set(text(action.key), value);
        } else if (action.do === 'delete') {
          assert.equal(tree.delete(action.key), model.delete(text(action.key)));
        } else {
          tree = new Tree(store, tree.store());
        }
      });
      const seen: [string, Uint8Array][] = [];
      tree.scan(new Uint8Array(), (key, value) => {
        seen.push([text(key), value.slice()]);
        return true;
      });
      assert.deepEqual(
        seen,
        [...model].sort(([a], [b]) => (a < b ? -1 : 1)),
      );
      for (const [key, value] of model)
        assert.deepEqual(tree.get(Buffer.from(key, 'latin1'))?.slice(), value);
    }),
    { numRuns: 200 },
  );
});

void test('many keys in order and in disorder, with pages dropped from memory meanwhile', () => {
  const store = memoryStore();
  const tree = new Tree(store, undefined);
  const key = (n: number): Uint8Array => Buffer.from(n.toString().padStart(8, '0'));
  const count = 20_000;
  for (let i = 0; i < count; i++) tree.put(key((i * 7919) % count), Buffer.from(String(i)));
  tree.store();
  tree.trim(0);
  for (let i = 0; i < count; i += 7) {
    assert.equal(text(tree.get(key((i * 7919) % count)) ?? new Uint8Array()), String(i));
    if (i % 1000 === 0) tree.trim(4);
  }
  for (let i = 0; i < count; i++) assert.ok(tree.delete(key(i)));
  tree.scan(new Uint8Array(), () => assert.fail('nothing is left'));
  tree.store();
  assert.equal(store.pages.size, 1);
});
