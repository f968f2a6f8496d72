import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type * as v from 'valibot';
import { canonicalJson, type Json } from '@ensconce/base/json';
import type { WrittenBlob } from './destination.ts';
import { refName } from './layout.ts';
import { keptIndexSchema, parseDocument } from './schemas.ts';

type KeptIndex = v.InferOutput<typeof keptIndexSchema>;

async function readIndex(directory: string): Promise<KeptIndex | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(join(directory, 'index.json'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  return parseDocument(keptIndexSchema, bytes, 'index.json of the destination');
}

/** The images that the destination holds already. */
export async function existingImages(directory: string): Promise<readonly WrittenBlob[]> {
  return (await readIndex(directory))?.manifests ?? [];
}

/** `index.json` with the image under `tag`, in place of what had this tag; other images stay. */
export async function indexWith(
  directory: string,
  tag: string | undefined,
  manifest: WrittenBlob,
  architecture: string,
): Promise<Uint8Array> {
  const existing = await readIndex(directory);
  const others = (existing?.manifests ?? []).filter((entry) => entry.annotations?.[refName] !== tag);
  const entry = {
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    digest: manifest.digest,
    size: manifest.size,
    platform: { architecture, os: 'linux' },
    ...(tag !== undefined && { annotations: { [refName]: tag } }),
  };
  return canonicalJson({
    ...existing,
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [...others, entry],
  } as Json);
}
