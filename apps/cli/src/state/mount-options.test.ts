import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMountOptions } from './mount-options.ts';

void test('options of fstab are read, and those for others are left alone', () => {
  const text =
    'defaults,_netdev,nofail,x-systemd.requires=cas.service,ro,nosuid,key-file=/k\\,ey,tag-file=/a=b,rw';
  assert.deepEqual(parseMountOptions(text), {
    keyFile: '/k,ey',
    tagFile: '/a=b',
    readOnly: false,
    noExec: false,
    noSuid: true,
  });
  assert.deepEqual(parseMountOptions(''), { readOnly: false, noExec: false, noSuid: false });
});

void test('an unknown option, or one without its value, is refused', () => {
  for (const text of [
    'dev',
    'ro=1',
    'key-file',
    'key-file=',
    'keyfile=/k',
    'allow_root',
    '__proto__',
    'toString',
  ])
    assert.throws(() => parseMountOptions(`ro,${text}`), { code: 'CLI_USAGE' }, text);
});
