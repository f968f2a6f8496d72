import assert from 'node:assert/strict';
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { shell } from '../test/shell.ts';

const mre = 'ab'.repeat(32);

void test('session check lists every problem where its author sees it, templates or not', async (t) => {
  const { run, folder } = shell(t);
  const file = join(folder, 'bad.yml');
  writeFileSync(
    file,
    'name: p\u0430y\nversion: "0.3"\nservces: []\nname: x\nservices:\n- name: $LONG\n  comand: $MISSING\n',
  );
  const { stdout, code } = await run('session', 'check', file, '-e', 'LONG=a-very-long-name', '--json');
  assert.notEqual(code, 0);
  const { accepted, problems } = JSON.parse(stdout) as {
    accepted: boolean;
    problems: { line: number; column: number; message: string; suggestion?: string }[];
  };
  assert.equal(accepted, false);
  assert.deepEqual(
    problems.map(({ line, column, suggestion }) => [line, column, suggestion]),
    [
      [1, 7, undefined],
      [3, 1, 'services'],
      [4, 1, undefined],
      [6, 3, undefined],
      [6, 3, undefined],
      [7, 3, 'command'],
      [7, 11, undefined],
    ],
  );
  assert.match(problems[3]?.message ?? '', /attestation, mrenclaves, or tdx or snp/);
  assert.match(problems[6]?.message ?? '', /Value for variable \$MISSING is missing/);
});

void test('session check is done at once with what is too large, or would grow without bounds', async (t) => {
  const { run, folder } = shell(t);
  const file = join(folder, 'big.yml');
  writeFileSync(file, '');
  truncateSync(file, 100 * 1024 * 1024);
  const big = await run('session', 'check', file);
  assert.match(big.stderr, /at most 1048576 bytes expected, 104857600 found/);
  const laughs = Array.from({ length: 20 }, (_, i) =>
    i === 0 ? 'a0: &a0 [x, x, x, x]\n' : `a${i}: &a${i} [*a${i - 1}, *a${i - 1}, *a${i - 1}, *a${i - 1}]\n`,
  );
  writeFileSync(file, laughs.join(''));
  const bomb = await run('session', 'check', file);
  assert.match(bomb.stdout + bomb.stderr, /at most 50000 YAML nodes expected/);
  assert.notEqual(big.code, 0);
  assert.notEqual(bomb.code, 0);
});

void test('session explain says who may be a service, what starting it takes, and shows no secret', async (t) => {
  const { run, folder } = shell(t);
  const file = join(folder, 'session.yml');
  writeFileSync(
    file,
    `name: s\nversion: "0.3.12"\nservices: [{name: app, command: run $$SCONE::key$$, mrenclaves: [${mre}]}]\nsecrets: [{name: key, kind: ascii, value: hunter2}]\nsecurity: {service_access_token: hunter3, singleton_enclaves: true}\n`,
  );
  const { stdout, code } = await run('session', 'explain', file, 'app');
  assert.equal(code, 0);
  assert.match(stdout, /who may be it:\n {2}code with measurement (?:ab){32}\n {2}on real hardware\n/);
  assert.match(
    stdout,
    /what starting it takes:\n {2}with the service access token\n {2}one instance at a time/,
  );
  assert.match(stdout, /key: a value that the policy gives; used as argument 1/);
  assert.doesNotMatch(stdout, /hunter/);
});
