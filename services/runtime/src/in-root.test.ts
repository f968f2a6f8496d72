import assert from 'node:assert/strict';
import { lstatSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import * as fc from 'fast-check';
import { resolveInRoot } from './in-root.ts';

function scratch(t: { after(done: () => void): void }): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'ensconce-in-root-')));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function image(t: TestContext): string {
  const root = scratch(t);
  mkdirSync(join(root, 'usr', 'lib'), { recursive: true });
  writeFileSync(join(root, 'usr', 'lib', 'file'), '');
  for (const [name, target] of Object.entries({
    lib: 'usr/lib',
    out: '/../../..',
    etc: '/usr/lib',
    up: '../../../usr',
    loop: 'loop',
    dangling: '/absent/below',
  }))
    symlinkSync(target, join(root, name));
  symlinkSync('../../../../../../etc/passwd', join(root, 'usr', 'lib', 'escape'));
  return root;
}

void test('links are followed as if the root were /', (t) => {
  const root = image(t);
  for (const [path, expected] of [
    ['/', ''],
    ['/usr/lib/file', '/usr/lib/file'],
    ['usr//./lib', '/usr/lib'],
    ['/lib/file', '/usr/lib/file'],
    ['/etc/file', '/usr/lib/file'],
    ['/up/lib', '/usr/lib'],
    ['/out/usr', '/usr'],
    ['/../../etc', '/usr/lib'],
    ['/usr/lib/escape', '/usr/lib/passwd'],
    ['/dangling/x', '/absent/below/x'],
    ['/absent/../usr', '/usr'],
  ] as const)
    assert.equal(join(resolveInRoot(root, path), '.'), join(root, expected), path);
});

void test('a loop of links is refused', (t) => {
  assert.throws(() => resolveInRoot(image(t), '/loop/x'), {
    code: 'CONFIGURATION',
    message: /symbolic links/,
  });
});

void test('whatever links an image has, no path leads out of it', (t) => {
  const name = fc.constantFrom('a', 'b', 'c');
  const step = fc.constantFrom('a', 'b', 'c', '..', '.', '', 'absent');
  const path = fc.array(step, { minLength: 1, maxLength: 6 }).map((steps) => steps.join('/'));
  const target = fc.tuple(fc.constantFrom('', '/'), path).map((parts) => parts.join('') || '.');
  const links = fc.array(fc.tuple(fc.array(name, { maxLength: 2 }), name, target), { maxLength: 8 });
  const parent = scratch(t);
  let run = 0;
  fc.assert(
    fc.property(links, path, (all, wanted) => {
      const root = join(parent, String(run++));
      mkdirSync(root);
      for (const [folder, link, to] of all) {
        // Where a link stands in the way of a folder, or of another link, the image has one less.
        try {
          mkdirSync(join(root, ...folder), { recursive: true });
          symlinkSync(to, join(root, ...folder, link));
        } catch {
          continue;
        }
      }
      let resolved: string;
      try {
        resolved = resolveInRoot(root, wanted);
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'CONFIGURATION');
        return;
      }
      assert.ok(resolved === root || resolved === `${root}/` || resolved.startsWith(`${root}/`), resolved);
      assert.ok(!resolved.split('/').includes('..'));
      // No link is left on the way, so the kernel goes where this says.
      let at = root;
      for (const part of resolved.slice(root.length).split('/').filter(Boolean)) {
        at = join(at, part);
        assert.equal(lstatSync(at, { throwIfNoEntry: false })?.isSymbolicLink() ?? false, false);
      }
    }),
    { numRuns: 200 },
  );
});
