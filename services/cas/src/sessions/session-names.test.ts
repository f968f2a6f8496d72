import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { namespaceOf } from './namespace.ts';
import { SessionNames } from './session-names.ts';

const entry = (name: string, deleted = false) => ({ name, creator: 'key', deleted });

function walk(index: SessionNames, namespace: string, limit: number): string[] {
  const names: string[] = [];
  for (let after = ''; ;) {
    const page = index.inNamespace(namespace, after, limit);
    names.push(...page.names);
    if (!page.more) return names;
    after = page.names.at(-1) as string;
  }
}

void test('pages of any size are the names in order, and all are counted, however they came and went', () => {
  const name = fc
    .array(fc.stringMatching(/^[a-cA-C0-9~.-]{1,3}$/), { minLength: 1, maxLength: 2 })
    .map((parts) => parts.join('/'));
  const change = fc.record({ name, deleted: fc.boolean() });
  fc.assert(
    fc.property(fc.array(name), fc.array(change), fc.integer({ min: 1, max: 5 }), (first, changes, limit) => {
      const index = SessionNames.of(new Set(first).values().map((one) => entry(one)));
      const model = new Set(first);
      const taken = new Set(first);
      for (const { name: one, deleted } of changes) {
        index.set(entry(one, deleted));
        taken.add(one);
        if (deleted) model.delete(one);
        else model.add(one);
      }
      for (const namespace of new Set([...model, ...first].map((one) => namespaceOf(one) ?? '/'))) {
        const expected = [...model]
          .filter((one) => namespaceOf(one) === namespace)
          .toSorted((a, b) => (a < b ? -1 : 1));
        assert.deepEqual(walk(index, namespace, limit), expected);
      }
      assert.deepEqual([index.present, index.taken], [model.size, taken.size]);
      const stored = [...taken].map((one) => entry(one, !model.has(one)));
      const anew = SessionNames.of(stored);
      assert.deepEqual([anew.present, anew.taken], [model.size, taken.size]);
    }),
  );
});

void test('a million names are listed page by page', () => {
  const count = 1_000_000;
  const numbered = function* (): Generator<ReturnType<typeof entry>> {
    for (let i = 0; i < count; i++) yield entry(`team/${String((i * 7919) % count).padStart(7, '0')}`);
  };
  const index = SessionNames.of(numbered());
  index.set(entry('team/0500000.5'));
  const page = index.inNamespace('team', 'team/0499999', 3);
  assert.deepEqual(page, { names: ['team/0500000', 'team/0500000.5', 'team/0500001'], more: true });
  assert.equal(walk(index, 'team', 1000).length, count + 1);
});
