/** Writes OCI image layouts (image-spec 1.0: oci-layout, index.json, blobs/sha256), reproducibly and cached. */
import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { cacheFolder, here } from './places.ts';

/** The parts of an OCI image config that engines act on. */
export interface ImageConfig {
  readonly User?: string;
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly WorkingDir?: string;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly ExposedPorts?: Readonly<Record<string, Record<string, never>>>;
  readonly Volumes?: Readonly<Record<string, Record<string, never>>>;
  readonly StopSignal?: string;
}

/** How to make one layer: `key` names everything it depends on, `tar` is called only if no cached layer has that key. */
export interface LayerRecipe {
  readonly key: string;
  readonly createdBy: string;
  readonly tar: () => Promise<Buffer>;
  /** `gzip` if absent. */
  readonly compression?: 'gzip' | 'none';
}

/** A finished image on this machine. */
export interface TestImage {
  /** Folder of the OCI layout. */
  readonly path: string;
  readonly tag: string;
  /** `oci:PATH:TAG`, as skopeo and `ensconce image --from` take it. */
  readonly reference: string;
  readonly config: ImageConfig;
  /** Texts that occur in the native image and must occur in no blob of a confidential one; too long to occur by chance. */
  readonly markers: readonly string[];
}

export interface ImageRecipe {
  readonly name: string;
  readonly layers: readonly LayerRecipe[];
  readonly config: ImageConfig;
  readonly markers: readonly string[];
  readonly annotations?: Readonly<Record<string, string>>;
}

const created = '2024-01-01T00:00:00Z';
const tag = 'latest';

export function sha256(data: Buffer | string): string {
  return createHash('sha256').update(data).digest('hex');
}

/** Hash over the sources of this folder: a changed builder makes new images. */
function builderHash(): string {
  const files = readdirSync(here)
    .filter((name) => !name.endsWith('.test.ts'))
    .sort();
  return sha256(files.map((name) => `${name}\n${sha256(readFileSync(join(here, name)))}\n`).join(''));
}

interface BuiltLayer {
  readonly path: string;
  readonly digest: string;
  readonly diffId: string;
  readonly size: number;
  readonly compression: 'gzip' | 'none';
}

async function buildLayer(recipe: LayerRecipe): Promise<BuiltLayer> {
  const folder = join(cacheFolder, 'images', 'layers');
  const base = join(folder, sha256(`${builderHash()} ${process.arch} ${recipe.key}`).slice(0, 32));
  if (!existsSync(`${base}.json`)) {
    mkdirSync(folder, { recursive: true });
    const tar = await recipe.tar();
    const compression = recipe.compression ?? 'gzip';
    const blob = compression === 'gzip' ? gzipSync(tar, { level: 6 }) : tar;
    const about = { digest: sha256(blob), diffId: sha256(tar), size: blob.length, compression };
    replaceFile(`${base}.blob`, blob);
    replaceFile(`${base}.json`, JSON.stringify(about));
  }
  const about = JSON.parse(readFileSync(`${base}.json`, 'utf8')) as Omit<BuiltLayer, 'path'>;
  return { path: `${base}.blob`, ...about };
}

function replaceFile(path: string, data: Buffer | string): void {
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, data);
  renameSync(temporary, path);
}

/** The image of a recipe, built if it is not in the cache. */
export async function buildImage(recipe: ImageRecipe): Promise<TestImage> {
  const layers: BuiltLayer[] = [];
  for (const layer of recipe.layers) layers.push(await buildLayer(layer));
  const config = JSON.stringify({
    created,
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: recipe.config,
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => `sha256:${layer.diffId}`) },
    history: [
      ...recipe.layers.map((layer) => ({ created, created_by: layer.createdBy })),
      {
        created,
        created_by: `ENTRYPOINT ${JSON.stringify(recipe.config.Entrypoint ?? [])}`,
        empty_layer: true,
      },
    ],
  });
  const descriptor = (mediaType: string, data: string): object => ({
    mediaType: `application/vnd.oci.image.${mediaType}`,
    digest: `sha256:${sha256(data)}`,
    size: Buffer.byteLength(data),
  });
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: descriptor('config.v1+json', config),
    layers: layers.map((layer) => ({
      mediaType: `application/vnd.oci.image.layer.v1.tar${layer.compression === 'gzip' ? '+gzip' : ''}`,
      digest: `sha256:${layer.digest}`,
      size: layer.size,
    })),
    annotations: recipe.annotations ?? {},
  });
  const index = JSON.stringify({
    schemaVersion: 2,
    manifests: [
      {
        ...descriptor('manifest.v1+json', manifest),
        annotations: { 'org.opencontainers.image.ref.name': tag },
      },
    ],
  });
  const path = join(cacheFolder, 'images', `${recipe.name}-${sha256(manifest).slice(0, 16)}`);
  if (!existsSync(path)) {
    const temporary = `${path}.${process.pid}`;
    const blobs = join(temporary, 'blobs', 'sha256');
    mkdirSync(blobs, { recursive: true });
    for (const layer of layers)
      if (!existsSync(join(blobs, layer.digest))) linkSync(layer.path, join(blobs, layer.digest));
    for (const data of [config, manifest]) writeFileSync(join(blobs, sha256(data)), data);
    writeFileSync(join(temporary, 'index.json'), index);
    writeFileSync(join(temporary, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
    try {
      renameSync(temporary, path);
    } catch (error) {
      if (!existsSync(path)) throw error;
      rmSync(temporary, { recursive: true });
    }
  }
  return { path, tag, reference: `oci:${path}:${tag}`, config: recipe.config, markers: recipe.markers };
}
