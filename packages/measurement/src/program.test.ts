import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { DigestCache } from './digest-cache.ts';
import { describeProgram, isMeasuredSource, measureProgram } from './program.ts';

const node = 'ab'.repeat(32);

function write(folder: string, path: string, text: string, mode = 0o644): void {
  mkdirSync(join(folder, dirname(path)), { recursive: true });
  writeFileSync(join(folder, path), text, { mode });
}

function checkout(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'ensconce-program-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  write(folder, 'services/cas/src/cas.ts', 'cas');
  write(folder, 'packages/base/src/bytes.ts', 'bytes');
  write(folder, 'package-lock.json', '{}');
  return folder;
}

const measure = (folder: string): string => measureProgram(describeProgram(folder, node, new DigestCache()));

void test('a fixed program has its golden measurement', (t) => {
  assert.equal(
    measureProgram({ format: 'ensconce-program/1', node, sources: 'cd'.repeat(32) }),
    'a310c4cbc389119f125080812c29605eb5307766790788094d740a290777637c',
  );
  assert.equal(measure(checkout(t)), 'e59636769aa77369ff35f57a8585dc37cb2cc82ed3135900e86e4c2ac7e785fb');
});

void test('tests, dependencies, empty folders, permissions and other folders do not count', (t) => {
  const folder = checkout(t);
  const before = measure(folder);
  write(folder, 'services/cas/src/cas.test.ts', 'test');
  write(folder, 'services/cas/node_modules/x/index.js', 'x');
  write(folder, 'README.md', 'read');
  write(folder, 'packages.md', 'read');
  write(folder, '.cache/file', 'cached');
  mkdirSync(join(folder, 'packages', 'empty'));
  rmSync(join(folder, 'packages/base/src/bytes.ts'));
  write(folder, 'packages/base/src/bytes.ts', 'bytes', 0o700);
  assert.equal(measure(folder), before);
});

void test('every source, the lock file and Node count', (t) => {
  const before = measure(checkout(t));
  const changed = (path: string, text: string): string => {
    const folder = checkout(t);
    write(folder, path, text);
    return measure(folder);
  };
  const others = [
    changed('services/cas/src/cas.ts', 'CAS'),
    changed('services/cas/src/new.ts', ''),
    changed('apps/cli/src/main.ts', ''),
    changed('package-lock.json', '{ }'),
    measureProgram(describeProgram(checkout(t), 'ac'.repeat(32), new DigestCache())),
  ];
  assert.equal(new Set([before, ...others]).size, others.length + 1);
});

void test('only files that count are measured sources', () => {
  for (const path of ['apps/cli/src/program.ts', 'package-lock.json', 'services/x'])
    assert.equal(isMeasuredSource(path), true, path);
  for (const path of [
    'tools/start.mjs',
    'apps/x.test.ts',
    'apps/x.test.ts/y.ts',
    'apps/node_modules/y',
    '../apps/x',
    '',
  ])
    assert.equal(isMeasuredSource(path), false, path);
});
