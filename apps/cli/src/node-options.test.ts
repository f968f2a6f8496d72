import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { nodeOptions } from '../bin/node-options.mjs';

void test('the pinned Node takes the options of a server, and other commands have none', () => {
  const options = nodeOptions(['cas', 'serve', '--state', 'state']);
  assert.notDeepEqual(options, []);
  const { status, stderr } = spawnSync(process.execPath, [...options, '-e', ''], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  for (const other of [[], ['cas'], ['cas', 'attest'], ['las', 'serve'], ['session', 'read', 'cas', 'serve']])
    assert.deepEqual(nodeOptions(other), []);
});
