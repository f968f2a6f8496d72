import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseReference } from './reference.ts';

const read: readonly [string, string, string | undefined][] = [
  ['oci:dir', 'dir', undefined],
  ['oci:dir:tag', 'dir', 'tag'],
  ['oci:/a/b:1.2-x', '/a/b', '1.2-x'],
  ['oci:C:\\images\\app', 'C:\\images\\app', undefined],
  ['oci:C:\\images\\app:v1', 'C:\\images\\app', 'v1'],
  ['oci:/a:b/c', '/a:b/c', undefined],
];
for (const [text, directory, tag] of read) {
  void test(`${text} is read`, () => assert.deepEqual(parseReference(text), { directory, tag }));
}

for (const text of ['', 'dir', 'oci:', 'docker://x']) {
  void test(`${JSON.stringify(text)} is refused with what to do`, () => {
    assert.throws(() => parseReference(text), { code: 'IMAGE_REFERENCE' });
  });
}
