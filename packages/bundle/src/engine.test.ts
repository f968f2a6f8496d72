import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { findEngine, runBundle } from './engine.ts';

function scratch(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'ensconce-engine-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function program(folder: string, name: string, text = '#!/bin/sh\n'): string {
  const path = join(folder, name);
  writeFileSync(path, text, { mode: 0o755 });
  return path;
}

void test('an engine is an executable file of an absolute folder of PATH, runc before crun', (t) => {
  const [first, second] = [scratch(t), scratch(t)];
  const crun = program(first, 'own-crun');
  assert.equal(findEngine(`${first}:${second}`, 'own-crun'), crun);
  assert.equal(findEngine('', crun), crun);
  mkdirSync(join(first, 'runc'));
  program(first, 'crun');
  const runc = program(second, 'runc');
  assert.equal(findEngine(`${first}:${second}`), runc);
  chmodSync(runc, 0o644);
  assert.notEqual(findEngine(`${first}:${second}`), runc);
});

void test('the working directory is never searched', (t) => {
  const folder = scratch(t);
  program(folder, 'ensconce-test-engine');
  const before = process.cwd();
  process.chdir(folder);
  t.after(() => process.chdir(before));
  for (const path of ['', '.', `:${folder}-absent`])
    assert.throws(() => findEngine(path, 'ensconce-test-engine'), { code: 'BUNDLE_ENGINE' });
});

void test('an engine that is not there is an error that says what to do', () => {
  assert.throws(() => findEngine('/nowhere', 'absent-engine'), {
    code: 'BUNDLE_ENGINE',
    message: /absent-engine/,
    hint: /apt-get install runc/,
  });
});

void test("the exit code is the engine's, 128 + signal where one ended it", async (t) => {
  const folder = scratch(t);
  const run = (text: string): Promise<number> =>
    runBundle({
      engine: program(folder, 'engine', `#!/bin/sh\n${text}\n`),
      bundle: folder,
      id: 'test',
      stdio: ['ignore', 'inherit', 'inherit'],
    });
  assert.equal(await run('exit 7'), 7);
  assert.equal(await run(`test "$*" = "run --bundle ${folder} test"`), 0);
  assert.equal(await run('kill -TERM $$'), 143);
  await assert.rejects(
    runBundle({ engine: join(folder, 'absent'), bundle: folder, id: 'x', stdio: 'inherit' }),
    { code: 'BUNDLE_ENGINE' },
  );
  assert.equal(process.listenerCount('SIGTERM'), 0);
});
