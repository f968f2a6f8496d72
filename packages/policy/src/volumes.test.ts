import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSessionOrThrow } from './parse.ts';
import { capAllows, exportedVolume } from './volumes.ts';

void test('an export caps how the importer may use a volume', () => {
  const policies = ['ephemeral', 'rollback_protected', 'no_rollback_protection'] as const;
  const allowed = policies.map((cap) => policies.filter((policy) => capAllows(cap, policy)));
  assert.deepEqual(allowed, [['ephemeral'], ['ephemeral', 'rollback_protected'], [...policies]]);
});

void test('a volume goes to the session that it is exported to, under its alias, in the version named', () => {
  const hash = 'ab'.repeat(32);
  const exporter = parseSessionOrThrow(
    `name: e\nversion: "0.3.12"\nvolumes:\n- {name: v, export: [{session: a}, {to: {session: b, session_hash: ${hash}}, volume_alias: w, update_policy: ephemeral}]}\n`,
  );
  assert.equal(exportedVolume(exporter, 'v', { name: 'a', hash })?.export.updatePolicy, 'rollback_protected');
  assert.equal(exportedVolume(exporter, 'w', { name: 'b', hash })?.export.updatePolicy, 'ephemeral');
  for (const [volume, name, at] of [
    ['v', 'b', hash],
    ['w', 'a', hash],
    ['w', 'b', 'cd'.repeat(32)],
    ['x', 'a', hash],
  ] as const) {
    assert.equal(exportedVolume(exporter, volume, { name, hash: at }), undefined);
  }
});
