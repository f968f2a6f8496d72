import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkPlaces } from './volume-places.ts';

const files = {
  hostFiles: ['/etc/hosts'],
  injectionFiles: [{ path: '/app/conf/app.toml', content: '', mode: 0o400 }],
};
const at = (path: string): void => checkPlaces(files, [{ name: 'v', path }]);

void test('a volume stands in a folder of its own', () => {
  for (const path of ['/data', '/app/data', '/app/conf.d', '/etc/hosts.d', '/device', '/var/lib/x'])
    assert.doesNotThrow(() => at(path), path);
});

void test('a volume never takes the place of what the runtime or the policy puts there', () => {
  for (const path of [
    '/',
    '/dev',
    '/dev/shm',
    '/proc',
    '/sys/fs',
    '/data/',
    '/data/../dev',
    '//data',
    '/a/./b',
  ])
    assert.throws(
      () => at(path),
      { code: 'CONFIGURATION', message: /a folder of the image's own expected/ },
      path,
    );
  for (const path of ['/etc', '/etc/hosts', '/app', '/app/conf', '/app/conf/app.toml'])
    assert.throws(() => at(path), { code: 'CONFIGURATION', message: /would hide the file/ }, path);
});
