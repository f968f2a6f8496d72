import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSessionOrThrow } from './parse.ts';
import { sessionDiff } from './diff.ts';
import { explainService } from './explain.ts';
import { sessionHash } from './session-hash.ts';
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

void test('a weaker durability is explained, shows in a diff, and its default changes nothing', () => {
  const at = (extension: string): ReturnType<typeof parseSessionOrThrow> =>
    parseSessionOrThrow(
      `name: s\nversion: "0.3"\nservices:\n- {name: app, image_name: i, command: run, mrenclaves: [${'ab'.repeat(32)}]}\n` +
        `images:\n- {name: i, volumes: [{name: v, path: /v${extension}}]}\nvolumes:\n- name: v\n`,
    );
  const [before, after] = [at(''), at(', ensconce: {durability: tag-follows-100ms}')];
  assert.deepEqual(explainService(after, 'app').files, [
    { path: '/v', from: 'volume v (rollback_protected, fsync: tag-follows-100ms)' },
  ]);
  assert.deepEqual(
    sessionDiff(before, after).map(({ widens, text }) => `${widens ? '+' : ' '} ${text}`),
    [
      '+ service app: volume v at /v (rollback_protected, fsync: tag-follows-100ms) is newly mounted',
      '  service app: volume v at /v (rollback_protected) is no longer mounted',
    ],
  );
  assert.equal(sessionHash(at(', ensconce: {durability: settled}')), sessionHash(before));
});
