import { createHash } from 'node:crypto';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { refName } from '@ensconce/image/layout';

interface Descriptor {
  digest: string;
  size: number;
  mediaType: string;
  annotations?: Record<string, string>;
}

/** One entry of a tar archive: a file with one line. */
function lineEntry(line: string): Buffer {
  const header = Buffer.alloc(512);
  header.write('changed-line.txt');
  header.write('0000644\u00000000000\u00000000000\0', 100, 'latin1');
  header.write(`${line.length.toString(8).padStart(11, '0')}\u000000000000001\0        0`, 124, 'latin1');
  header.write('ustar\u000000', 257, 'latin1');
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return Buffer.concat([header, Buffer.from(line), Buffer.alloc(512 - line.length)]);
}

/** Copies a layout and puts one line into the top layer of the image `tag`; the result has that one image. */
export function changeTopLayer(from: string, tag: string, to: string, line: string): void {
  cpSync(from, to, { recursive: true });
  const path = (digest: string) => join(to, 'blobs', 'sha256', digest.slice(7));
  const read = (digest: string): unknown => JSON.parse(readFileSync(path(digest), 'utf8'));
  const put = (bytes: Buffer) => {
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    writeFileSync(path(digest), bytes);
    return { digest, size: bytes.length };
  };
  const index = JSON.parse(readFileSync(join(to, 'index.json'), 'utf8')) as { manifests: Descriptor[] };
  const entry = index.manifests.find(({ annotations }) => annotations?.[refName] === tag);
  if (entry === undefined) throw new Error(`bench: the image ${tag} expected in ${from}, none found`);
  const manifest = read(entry.digest) as { config: Descriptor; layers: Descriptor[] };
  const config = read(manifest.config.digest) as { rootfs: { diff_ids: string[] } };
  const top = manifest.layers.at(-1);
  if (!top?.mediaType.endsWith('gzip')) throw new Error('bench: a top layer of gzip expected, another found');
  const tar = gunzipSync(readFileSync(path(top.digest)));
  const changed = Buffer.concat([lineEntry(line), tar]);
  Object.assign(top, put(gzipSync(changed)));
  config.rootfs.diff_ids.splice(-1, 1, `sha256:${createHash('sha256').update(changed).digest('hex')}`);
  Object.assign(manifest.config, put(Buffer.from(JSON.stringify(config))));
  Object.assign(entry, put(Buffer.from(JSON.stringify(manifest))));
  writeFileSync(join(to, 'index.json'), JSON.stringify({ ...index, manifests: [entry] }));
}
