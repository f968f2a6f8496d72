import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { manifestDigest, type ManifestEntry } from './manifest.ts';

const sha256 = createHash('sha256').update('contents').digest('hex');
const entries: readonly ManifestEntry[] = [
  { path: 'bin', type: 'directory', mode: 0o755 },
  { path: 'bin/node', type: 'file', mode: 0o555, sha256 },
  { path: 'lib', type: 'symlink', target: 'usr/lib' },
];

/** Golden: runtime digests stand in descriptions and policies. */
const golden = '74b76c60d35d9765d634477e7eb6a4d1400cc6ca1c5cae525f53606b387a1a43';

/** The format by hand, from docs/formats/measurement.md. */
function byHand(): string {
  const item = (bytes: Buffer): Buffer => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  const fields = (...parts: (string | Buffer)[]): Buffer =>
    Buffer.concat(parts.map((part) => item(Buffer.from(part as string))));
  const all = Buffer.concat(
    [
      fields('directory', 'bin', '755'),
      fields('file', 'bin/node', '555', Buffer.from(sha256, 'hex')),
      fields('symlink', 'lib', 'usr/lib'),
    ].map((entry) => fields('entry', entry)),
  );
  return createHash('sha256').update(fields('ensconce-manifest/1', all)).digest('hex');
}

void test('a fixed folder has its golden digest, which is what the document says', () => {
  assert.equal(manifestDigest(entries), golden);
  assert.equal(byHand(), golden);
});

void test('the order of entries does not count', () => {
  assert.equal(manifestDigest(entries.toReversed()), golden);
});

void test('names, kinds, permission bits, contents and targets count', () => {
  const [folder, file, link] = entries as [ManifestEntry, ManifestEntry & { type: 'file' }, ManifestEntry];
  const others: readonly (readonly ManifestEntry[])[] = [
    [folder, file],
    [folder, { ...file, path: 'bin/nodf' }, link],
    [folder, { ...file, mode: 0o4555 }, link],
    [folder, { ...file, sha256: sha256.replace(/^./, (digit) => (digit === '0' ? '1' : '0')) }, link],
    [folder, { path: 'bin/node', type: 'symlink', target: sha256 }, link],
    [{ path: 'bin', type: 'directory', mode: 0o700 }, file, link],
    [folder, file, { path: 'lib', type: 'symlink', target: 'usr/lib64' }],
    [folder, file, link, { path: 'lib/x', type: 'directory', mode: 0o755 }],
    [],
  ];
  assert.equal(new Set([golden, ...others.map(manifestDigest)]).size, others.length + 1);
});

void test('a manifest that lists one name twice is the mistake of the caller', () => {
  assert.throws(() => manifestDigest([...entries, entries[0] as ManifestEntry]), RangeError);
});
