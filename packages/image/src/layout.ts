import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { hashOf, parseDigest } from './digest.ts';
import { ImageError } from './errors.ts';
import { configTypes, indexTypes, manifestTypes } from './media-types.ts';
import type { LayoutReference } from './reference.ts';
import {
  configSchema,
  indexSchema,
  layoutSchema,
  manifestSchema,
  maxDocument,
  parseDocument,
  type Descriptor,
  type ImageConfig,
  type Manifest,
} from './schemas.ts';

export interface Platform {
  readonly os: string;
  readonly architecture: string;
}

/** An image of a layout: its documents are verified, its layers are not read yet. */
export interface SourceImage {
  readonly directory: string;
  readonly manifest: Manifest;
  readonly manifestDigest: string;
  readonly config: ImageConfig;
}

export const refName = 'org.opencontainers.image.ref.name';

export function blobPath(directory: string, digest: string): string {
  const { algorithm, hex } = parseDigest(digest);
  return join(directory, 'blobs', algorithm, hex);
}

/** The path of a blob that must be a regular file of the descriptor's size (never a FIFO, which would block). */
export async function existingBlob(
  directory: string,
  descriptor: Pick<Descriptor, 'digest' | 'size'>,
): Promise<string> {
  const path = blobPath(directory, descriptor.digest);
  let found: { isFile(): boolean; size: number };
  try {
    found = await stat(path);
  } catch (cause) {
    throw new ImageError(
      'IMAGE_BLOB_MISSING',
      `image: the blob ${descriptor.digest} expected in ${directory}, none found`,
      {
        cause,
        hint: 'the image was copied incompletely; copy it again',
      },
    );
  }
  if (!found.isFile())
    throw new ImageError('IMAGE_LAYOUT', `image: a regular file expected at ${path}, something else found`);
  if (found.size !== descriptor.size) throw wrongSize(descriptor, found.size);
  return path;
}

export function wrongSize(descriptor: Pick<Descriptor, 'digest' | 'size'>, found: number): ImageError {
  return new ImageError(
    'IMAGE_DIGEST',
    `image: blob ${descriptor.digest}: ${descriptor.size} bytes expected, ${found} found`,
    { hint: 'the image was damaged or copied incompletely; copy it again' },
  );
}

export function wrongDigest(expected: string, found: string, what = 'blob', cause?: unknown): ImageError {
  return new ImageError('IMAGE_DIGEST', `image: ${what}: ${expected} expected, ${found} found`, {
    cause,
    hint: 'the image was damaged or changed; copy it again from a source you trust',
  });
}

/** The verified bytes of a small blob. */
export async function readBlob(directory: string, descriptor: Descriptor): Promise<Uint8Array> {
  if (descriptor.size > maxDocument) {
    throw new ImageError(
      'IMAGE_SCHEMA',
      `image: a document of at most ${maxDocument} bytes expected, ${descriptor.size} found`,
    );
  }
  const bytes = await readFile(await existingBlob(directory, descriptor));
  if (bytes.length !== descriptor.size) throw wrongSize(descriptor, bytes.length);
  const { algorithm } = parseDigest(descriptor.digest);
  const found = `${algorithm}:${hashOf(descriptor.digest).update(bytes).digest('hex')}`;
  if (found !== descriptor.digest) throw wrongDigest(descriptor.digest, found);
  return bytes;
}

async function readTop(directory: string, name: string): Promise<Uint8Array> {
  const path = join(directory, name);
  try {
    const found = await stat(path);
    if (!found.isFile() || found.size > maxDocument) throw new Error(`${path} is not a small regular file`);
    return await readFile(path);
  } catch (cause) {
    throw new ImageError(
      'IMAGE_LAYOUT',
      `image: an OCI image layout expected in ${directory}, no ${name} found`,
      {
        cause,
        hint: 'make one with: skopeo copy docker://NAME oci:DIR:TAG (or docker-archive:FILE)',
      },
    );
  }
}

function choose(candidates: readonly Descriptor[], reference: LayoutReference): Descriptor {
  const tagged =
    reference.tag === undefined
      ? candidates
      : candidates.filter((descriptor) => descriptor.annotations?.[refName] === reference.tag);
  const [first, ...others] = tagged;
  if (first !== undefined && others.every(({ digest }) => digest === first.digest)) return first;
  const tags = candidates.map((descriptor) => descriptor.annotations?.[refName] ?? '(no tag)').slice(0, 20);
  throw new ImageError(
    'IMAGE_REFERENCE',
    reference.tag === undefined
      ? `image: one image expected in ${reference.directory}, ${tagged.length} found`
      : `image: the tag ${reference.tag} expected in ${reference.directory}, ${tagged.length} found`,
    { hint: tags.length > 0 ? `the layout has the tags: ${tags.join(', ')}` : 'the layout is empty' },
  );
}

function chooseForPlatform(candidates: readonly Descriptor[], wanted: Platform): Descriptor {
  const known = candidates.filter(
    ({ mediaType }) => manifestTypes.has(mediaType) || indexTypes.has(mediaType),
  );
  const found = known.find(
    ({ platform }) => platform?.os === wanted.os && platform.architecture === wanted.architecture,
  );
  if (found !== undefined) return found;
  const [only] = known;
  if (known.length === 1 && only !== undefined && only.platform === undefined) return only;
  const have = known.map(({ platform }) => `${platform?.os ?? '?'}/${platform?.architecture ?? '?'}`);
  throw new ImageError(
    'IMAGE_PLATFORM',
    `image: one for ${wanted.os}/${wanted.architecture} expected, ${have.slice(0, 20).join(', ') || 'none'} found`,
    { hint: 'choose another platform, or build the image for this one' },
  );
}

/** Finds the one image that `reference` names for `platform`, and verifies its manifest and configuration. */
export async function readImage(reference: LayoutReference, platform: Platform): Promise<SourceImage> {
  const { directory } = reference;
  parseDocument(layoutSchema, await readTop(directory, 'oci-layout'), 'oci-layout');
  const top = parseDocument(indexSchema, await readTop(directory, 'index.json'), 'index.json');
  let descriptor: Descriptor;
  try {
    descriptor = choose(top.manifests, reference);
  } catch (error) {
    // A layout without tags may list one image per platform at top level.
    if (reference.tag !== undefined || !top.manifests.some(({ platform }) => platform)) throw error;
    descriptor = chooseForPlatform(top.manifests, platform);
  }
  for (let depth = 0; indexTypes.has(descriptor.mediaType); depth++) {
    if (depth === 4)
      throw new ImageError('IMAGE_LAYOUT', 'image: at most 4 nested indexes expected, more found');
    const index = parseDocument(indexSchema, await readBlob(directory, descriptor), 'image index');
    descriptor = chooseForPlatform(index.manifests, platform);
  }
  if (!manifestTypes.has(descriptor.mediaType)) throw unknownType('an image manifest', descriptor.mediaType);
  const manifest = parseDocument(manifestSchema, await readBlob(directory, descriptor), 'image manifest');
  if (!configTypes.has(manifest.config.mediaType))
    throw unknownType('an image configuration', manifest.config.mediaType);
  const config = parseDocument(
    configSchema,
    await readBlob(directory, manifest.config),
    'image configuration',
  );
  if (config.os !== platform.os || config.architecture !== platform.architecture) {
    throw new ImageError(
      'IMAGE_PLATFORM',
      `image: one for ${platform.os}/${platform.architecture} expected, ${config.os}/${config.architecture} found`,
    );
  }
  if (config.rootfs.diff_ids.length !== manifest.layers.length) {
    throw new ImageError(
      'IMAGE_SCHEMA',
      `image configuration: ${manifest.layers.length} diff ids expected, one for each layer, ${config.rootfs.diff_ids.length} found`,
    );
  }
  return { directory, manifest, manifestDigest: descriptor.digest, config };
}

export function unknownType(expected: string, found: string): ImageError {
  return new ImageError(
    'IMAGE_MEDIA_TYPE',
    `image: ${expected} expected, media type ${found.slice(0, 200)} found`,
    {
      hint: found.endsWith('+encrypted')
        ? 'the layer is encrypted (ocicrypt); decrypt the image first: skopeo copy --decryption-key'
        : 'convert the image: skopeo copy --format oci',
    },
  );
}
