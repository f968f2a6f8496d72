import { createHash } from 'node:crypto';
import { concatBytes, fromHex, utf8 } from '@ensconce/base/bytes';
import { encodeFields } from '@ensconce/base/fields';

/** One file of a measured folder. `path` is relative, `/`-separated, without a leading slash; the folder itself is not listed. */
export type ManifestEntry =
  | { readonly path: string; readonly type: 'directory'; readonly mode: number }
  | { readonly path: string; readonly type: 'file'; readonly mode: number; readonly sha256: string }
  | { readonly path: string; readonly type: 'symlink'; readonly target: string };

function encodeEntry(entry: ManifestEntry): Uint8Array {
  switch (entry.type) {
    case 'directory':
      return encodeFields('directory', [utf8(entry.path), utf8(entry.mode.toString(8))]);
    case 'file':
      return encodeFields('file', [
        utf8(entry.path),
        utf8(entry.mode.toString(8)),
        fromHex(entry.sha256, 32),
      ]);
    case 'symlink':
      return encodeFields('symlink', [utf8(entry.path), utf8(entry.target)]);
  }
}

/**
 * The runtime digest: SHA-256 (hex) over the canonical manifest of a folder. Owner, times and the order in which a
 * file system lists its entries do not count; names, types, permission bits, contents and link targets do
 * (docs/formats/measurement.md).
 */
export function manifestDigest(entries: readonly ManifestEntry[]): string {
  const encoded = entries.map((entry) => ({ key: entry.path, bytes: encodeEntry(entry) }));
  encoded.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  for (let i = 1; i < encoded.length; i++) {
    if (encoded[i]?.key === encoded[i - 1]?.key)
      throw new RangeError(`the manifest lists ${encoded[i]?.key} twice`);
  }
  const body = concatBytes(...encoded.map((entry) => encodeFields('entry', [entry.bytes])));
  return createHash('sha256')
    .update(encodeFields('ensconce-manifest/1', [body]))
    .digest('hex');
}
