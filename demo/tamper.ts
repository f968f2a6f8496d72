/** What a malicious registry can do to an image: change a layer and make every digest above it right again. */
import { createHash } from 'node:crypto';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';

interface Descriptor {
  digest: string;
  size: number;
  mediaType: string;
}
interface Manifest {
  config: Descriptor;
  layers: Descriptor[];
}
interface Index {
  manifests: Descriptor[];
}
interface Config {
  rootfs: { diff_ids: string[] };
}

const sha256 = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const blobPath = (layout: string, digest: string): string => join(layout, 'blobs', ...digest.split(':'));

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'));
}

export function readManifest(layout: string): Manifest {
  const index = readJson(join(layout, 'index.json')) as Index;
  return readJson(blobPath(layout, index.manifests[0]?.digest ?? '')) as Manifest;
}

/** The blob of layer `position` as it is stored. */
export function layerBlob(layout: string, position: number): Buffer {
  return readFileSync(blobPath(layout, readManifest(layout).layers[position]?.digest ?? ''));
}

/** Copies the layout and replaces the uncompressed archive of one layer by what `change` makes of it. */
export function withChangedLayer(
  layout: string,
  copy: string,
  position: number,
  change: (tar: Buffer) => Buffer,
): void {
  cpSync(layout, copy, { recursive: true });
  const index = readJson(join(copy, 'index.json')) as Index;
  const manifest = readManifest(copy);
  const config = readJson(blobPath(copy, manifest.config.digest)) as Config;
  const layer = manifest.layers[position] as Descriptor;
  const zipped = layer.mediaType.endsWith('+gzip');
  const stored = readFileSync(blobPath(copy, layer.digest));
  const tar = change(Buffer.from(zipped ? gunzipSync(stored) : stored));
  config.rootfs.diff_ids[position] = sha256(tar);
  const put = (descriptor: Descriptor, bytes: Buffer): void => {
    descriptor.digest = sha256(bytes);
    descriptor.size = bytes.length;
    writeFileSync(blobPath(copy, descriptor.digest), bytes);
  };
  put(layer, zipped ? gzipSync(tar, { level: 1 }) : tar);
  put(manifest.config, Buffer.from(JSON.stringify(config)));
  put(index.manifests[0] as Descriptor, Buffer.from(JSON.stringify(manifest)));
  writeFileSync(join(copy, 'index.json'), JSON.stringify(index));
}
