import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { resolveUser } from './user.ts';

const passwd = `root:x:0:0:root:/root:/bin/sh
# a comment
app:x:1000:1000::/home/app:/bin/sh
nohome:x:1001:1002:::
7:x:2000:2000::/home/seven:
broken:x:-1:0::/:
huge:x:4294967295:0::/:
`;
const group = `root:x:0:
staff:x:50:app,root
app:x:1000:
video:x:44:nohome,app
bad:x:x:app
`;

function image(t: TestContext, files: Readonly<Record<string, string>> = { passwd, group }): string {
  const root = mkdtempSync(join(tmpdir(), 'ensconce-user-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  mkdirSync(join(root, 'etc'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(root, 'etc', name), text);
  return root;
}

const table: readonly (readonly [
  string,
  readonly [uid: number, gid: number, groups: number[], home: string],
])[] = [
  ['', [0, 0, [50], '/root']],
  ['0', [0, 0, [50], '/root']],
  ['root', [0, 0, [50], '/root']],
  ['app', [1000, 1000, [50, 44], '/home/app']],
  ['1000', [1000, 1000, [50, 44], '/home/app']],
  ['1000:', [1000, 1000, [50, 44], '/home/app']],
  ['nohome', [1001, 1002, [44], '/']],
  ['app:staff', [1000, 50, [], '/home/app']],
  ['app:0', [1000, 0, [], '/home/app']],
  ['1234', [1234, 0, [], '/']],
  ['1234:5678', [1234, 5678, [], '/']],
  ['1234:video', [1234, 44, [], '/']],
  ['7', [2000, 2000, [], '/home/seven']],
  ['4294967294', [4_294_967_294, 0, [], '/']],
];

void test('users are resolved as engines do, by the files of the image', (t) => {
  const root = image(t);
  for (const [text, [uid, gid, groups, home]] of table)
    assert.deepEqual(resolveUser(root, text), { uid, gid, groups, home }, JSON.stringify(text));
});

void test('unknown and impossible users and groups are refused', (t) => {
  const root = image(t);
  for (const text of [
    'nobody',
    'app:nogroup',
    '-1',
    '4294967295',
    '99999999999',
    '1.5',
    'app:-1',
    'broken',
    'huge',
    '0x0',
  ])
    assert.throws(() => resolveUser(root, text), { code: 'CONFIGURATION' }, text);
});

void test('an image without the files knows numbers only', (t) => {
  const root = image(t, {});
  assert.deepEqual(resolveUser(root, ''), { uid: 0, gid: 0, groups: [], home: '/' });
  assert.deepEqual(resolveUser(root, '5:6'), { uid: 5, gid: 6, groups: [], home: '/' });
  assert.throws(() => resolveUser(root, 'root'), { code: 'CONFIGURATION' });
});

void test('a file that is there and cannot be read does not pass for a missing one', (t) => {
  const root = image(t, {});
  mkdirSync(join(root, 'etc', 'passwd'));
  assert.throws(() => resolveUser(root, '1000'), {
    code: 'CONFIGURATION',
    message: /\/etc\/passwd of the image/,
  });
});

void test('a link in the image leads to a file of the image', (t) => {
  const root = image(t, { group });
  mkdirSync(join(root, 'usr'));
  writeFileSync(join(root, 'usr', 'passwd'), passwd);
  symlinkSync('/usr/passwd', join(root, 'etc', 'passwd'));
  assert.equal(resolveUser(root, 'app').uid, 1000);
});
