/** Images that are broken in ways that registries, disks and tools break them. */
import { createHash } from 'node:crypto';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestImage } from '../../images/oci-layout.ts';

interface Descriptor {
  digest: string;
  size: number;
  mediaType: string;
}

const blob = (image: string, digest: string): string => join(image, 'blobs', ...digest.split(':'));

function store(image: string, bytes: Buffer, like: Descriptor): Descriptor {
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  writeFileSync(blob(image, digest), bytes);
  return { ...like, digest, size: bytes.length };
}

interface Index {
  manifests: Descriptor[];
}
interface Manifest {
  config: Descriptor;
  layers: Descriptor[];
}

const read = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'));
const topLayer = (manifest: Manifest): Descriptor => manifest.layers.at(-1) as Descriptor;

function manifestOf(image: string): { index: Index; manifest: Manifest } {
  const index = read(join(image, 'index.json')) as Index;
  return { index, manifest: read(blob(image, (index.manifests[0] as Descriptor).digest)) as Manifest };
}

/** A copy whose top layer is another blob; digests and sizes of the manifest fit. */
export function withTopLayer(image: TestImage, path: string, change: (bytes: Buffer) => Buffer): string {
  cpSync(image.path, path, { recursive: true });
  const { index, manifest } = manifestOf(path);
  const top = topLayer(manifest);
  manifest.layers[manifest.layers.length - 1] = store(
    path,
    change(readFileSync(blob(path, top.digest))),
    top,
  );
  const stored = store(path, Buffer.from(JSON.stringify(manifest)), index.manifests[0] as Descriptor);
  writeFileSync(join(path, 'index.json'), JSON.stringify({ ...index, manifests: [stored] }));
  return `oci:${path}:latest`;
}

/** A copy whose top layer's file is changed under its old name, or deleted. */
export function withTopLayerFile(
  image: TestImage,
  path: string,
  change: ((bytes: Buffer) => Buffer) | undefined,
): string {
  cpSync(image.path, path, { recursive: true });
  const file = blob(path, topLayer(manifestOf(path).manifest).digest);
  if (change === undefined) rmSync(file);
  else writeFileSync(file, change(readFileSync(file)));
  return `oci:${path}:latest`;
}
