import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { cannotMount } from '../test/mounted.ts';

const options = { skip: cannotMount };

const tree = {
  kind: 'directory',
  children: {
    etc: {
      kind: 'directory',
      children: {
        passwd: { kind: 'file', text: 'root:x:0:0\n' },
        'moved.conf': { kind: 'file', text: 'moved\n' },
        'gone.conf': { kind: 'file', text: 'gone\n' },
        attributed: { kind: 'file', text: 'a\n', xattrs: { 'user.note': 'kept' } },
      },
    },
    bin: {
      kind: 'directory',
      children: { su: { kind: 'file', mode: 0o4755, text: '#!/bin/sh\n' } },
    },
    lib: {
      kind: 'directory',
      children: { deep: { kind: 'directory', children: { file: { kind: 'file', text: 'deep\n' } } } },
    },
    link: { kind: 'symlink', target: 'etc/passwd' },
  },
};

/** What an application does to the merged root: copy up, append, rename, remove, replace a directory, set-user-id. */
const script = String.raw`
set -eu
cd "$1"
test "$(cat link)" = root:x:0:0
echo more >> etc/passwd
test "$(tail -n 1 etc/passwd)" = more
mv etc/moved.conf etc/new.conf
test "$(cat etc/new.conf)" = moved; test ! -e etc/moved.conf
rm etc/gone.conf; test ! -e etc/gone.conf
rm -r lib; mkdir lib; test -z "$(ls lib)"
test "$(stat -c %a bin/su)" = 4755
chmod u+s,g+s bin/su; test "$(stat -c %a bin/su)" = 6755
python3 - "$PWD" <<'PY'
import os, sys
p = sys.argv[1] + '/etc/attributed'
assert os.getxattr(p, 'user.note') == b'kept'
open(p, 'a').write('b\n')
assert os.getxattr(p, 'user.note') == b'kept'
os.setxattr(p, 'user.more', b'1')
assert sorted(n for n in os.listxattr(p) if n.startswith('user.')) == ['user.more', 'user.note']
PY
ln etc/passwd etc/hard; test "$(stat -c %h etc/hard)" = 2
test "$(ls etc | tr '\n' ' ')" = 'attributed hard new.conf passwd '
echo whole
`;

function overlaid(t: TestContext, prefix: readonly string[], overlayOptions: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'ensconce-overlay-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'tree.json'), JSON.stringify(tree));
  writeFileSync(join(folder, 'script.sh'), script);
  // All mounts live in a mount namespace of their own, so nothing of a failed test stays behind.
  const inside = String.raw`
set -eu
cd "$1"; shift
mkdir lower scratch merged
mount -t tmpfs tmpfs scratch
mkdir scratch/upper scratch/work
exec "$@" lower tree.json -- sh -c '
  mount -t overlay overlay -o lowerdir=lower,upperdir=scratch/upper,workdir=scratch/work${overlayOptions} merged
  sh script.sh merged; umount merged'
`;
  const result = spawnSync(
    'unshare',
    [
      ...prefix,
      'sh',
      '-c',
      inside,
      'sh',
      folder,
      process.execPath,
      fileURLToPath(new URL('../test/serve-memory.ts', import.meta.url)),
    ],
    { encoding: 'utf8', timeout: 30_000 },
  );
  assert.equal(result.status, 0, result.stderr);
  return result.stdout;
}

void test('an overlay over the tree can be written to: plain root', options, (t) => {
  assert.equal(overlaid(t, ['-m'], ''), 'whole\n');
});

void test('an overlay over the tree can be written to: in a user namespace', options, (t) => {
  assert.equal(overlaid(t, ['-Urm'], ',userxattr'), 'whole\n');
});
