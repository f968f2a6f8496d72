import { Buffer } from 'node:buffer';
import { realpath } from 'node:fs/promises';
import { resolve } from 'node:path';
import { toHex } from '@ensconce/base/bytes';
import { canonicalJson, type Json } from '@ensconce/base/json';
import {
  encodeDescription,
  maxLayers,
  measureDescription,
  parseDescription,
  type ImageDescription,
} from '@ensconce/measurement/image';
import { deriveLayerKey } from '@ensconce/sealed-layer/keys';
import { compressor } from '@ensconce/sealed-layer/writer';
import {
  confidentialConfig,
  configChanges,
  originalConfig,
  type ConfigChanges,
  type ConfigOverrides,
  type OriginalConfig,
  type RuntimeEnvironment,
} from './config.ts';
import { checkOverlay } from './overlay-check.ts';
import { Destination, type WrittenBlob } from './destination.ts';
import { ImageError } from './errors.ts';
import { existingImages, indexWith } from './index-file.ts';
import { readImage, type SourceImage } from './layout.ts';
import { plainLayerType } from './media-types.ts';
import type { LayoutReference } from './reference.ts';
import { copyRuntime, type RuntimeLayer } from './runtime-layer.ts';
import { sealLayer } from './sealed-blob.ts';
import { findSealed } from './reuse.ts';
import { tarEnd, tarHeader } from './tar-writer.ts';

export interface Progress {
  readonly stage: 'seal' | 'reuse' | 'runtime' | 'write';
  /** Position of the layer, lowest first; `undefined` for other stages. */
  readonly layer: number | undefined;
  readonly layers: number;
  /** Bytes of the original's blobs done, and all of them. */
  readonly done: number;
  readonly total: number;
}

export interface TransformOptions {
  readonly from: LayoutReference;
  readonly to: LayoutReference;
  readonly runtime: RuntimeLayer;
  /** Hex SHA-256 of the SubjectPublicKeyInfo of the CAS that the image obeys. */
  readonly casIdentity: string;
  readonly casSimulated: boolean;
  /** 32 bytes that only the owner has; see {@link deriveLayerKey}. */
  readonly familySecret: Uint8Array;
  readonly overrides?: ConfigOverrides;
  /** Defaults of the runtime's variables that the image carries. */
  readonly runtimeEnvironment?: RuntimeEnvironment;
  readonly onProgress?: (progress: Progress) => void;
  readonly signal?: AbortSignal;
}

/** A sealed layer of the result. The key is secret. */
export interface TransformedLayer {
  readonly root: string;
  readonly keyHex: string;
  readonly diffId: string;
  readonly digest: string;
  readonly size: number;
  /** Whether the destination had it already. */
  readonly reused: boolean;
}

export interface TransformResult {
  /** Hex: MRENCLAVE of the policy. */
  readonly measurement: string;
  readonly description: ImageDescription;
  /** Lowest first. */
  readonly layers: readonly TransformedLayer[];
  readonly config: OriginalConfig;
  readonly overrides: ConfigOverrides;
  readonly manifestDigest: string;
  /** Sizes in bytes: the original's compressed layers, the sealed ones, the runtime's. */
  readonly sizes: { readonly original: number; readonly sealed: number; readonly runtime: number };
  readonly whatChanged: ConfigChanges;
}

/** Layers that are sealed at one time. */
const parallel = 3;

/** The runtime's layer and the description's count too: engines mount at most 127. */
const maxOriginalLayers = maxLayers - 2;

async function checkOptions(options: TransformOptions): Promise<void> {
  if (options.familySecret.length !== 32) throw new RangeError('a family secret has 32 bytes');
  // Refuses a wrong digest or identity before any work is done.
  parseDescription(encodeDescription(describe(options, ['0'.repeat(64)])));
  const { from, to } = options;
  if (from.tag === to.tag && (await sameDirectory(from.directory, to.directory))) {
    throw new ImageError(
      'IMAGE_OUTPUT',
      `image: another place than the original's expected, ${to.directory} found`,
      {
        hint: 'choose another folder or tag for the confidential image',
      },
    );
  }
}

async function sameDirectory(a: string, b: string): Promise<boolean> {
  if (resolve(a) === resolve(b)) return true;
  try {
    return (await realpath(a)) === (await realpath(b));
  } catch {
    // One of them does not exist yet.
    return false;
  }
}

function checkSource(source: SourceImage): void {
  const count = source.manifest.layers.length;
  if (count === 0 || count > maxOriginalLayers) {
    throw new ImageError('IMAGE_SCHEMA', `image: 1 to ${maxOriginalLayers} layers expected, ${count} found`, {
      hint: 'squash some layers (buildah bud --squash), or build from a base',
    });
  }
}

function describe(options: TransformOptions, roots: string[]): ImageDescription {
  return {
    format: 'ensconce-image/1',
    architecture: options.runtime.architecture,
    runtime: options.runtime.runtimeDigest,
    layers: roots,
    cas: { identity: options.casIdentity, simulated: options.casSimulated },
  };
}

/** Like `Promise.all`, and waits for all also where one fails: nothing still writes when the scratch folder goes. */
async function allSettled<const Work extends readonly Promise<unknown>[]>(
  work: Work,
): Promise<{ -readonly [K in keyof Work]: Awaited<Work[K]> }> {
  await Promise.allSettled(work);
  return Promise.all(work);
}

async function sealAll(
  source: SourceImage,
  destination: Destination,
  options: TransformOptions,
): Promise<TransformedLayer[]> {
  const { layers } = source.manifest;
  const total = layers.reduce((sum, { size }) => sum + size, 0);
  let done = 0;
  const report = (stage: Progress['stage'], layer: number, count: number) => {
    done += count;
    options.onProgress?.({ stage, layer, layers: layers.length, done, total });
  };
  const reusable = await findSealed(destination.directory, await existingImages(destination.directory));
  const sealed: TransformedLayer[] = [];
  const one = async (position: number): Promise<void> => {
    options.signal?.throwIfAborted();
    const descriptor = layers[position];
    const diffId = source.config.rootfs.diff_ids[position];
    if (descriptor === undefined || diffId === undefined) return;
    const key = deriveLayerKey(options.familySecret, diffId, compressor);
    const keyHex = toHex(key);
    const existing = await reusable(destination, position, key);
    if (existing !== undefined) report('reuse', position, descriptor.size);
    const blob =
      existing ??
      (await sealLayer(
        destination,
        { directory: source.directory, descriptor, diffId },
        position,
        key,
        (count) => report('seal', position, count),
        options.signal,
      ));
    sealed[position] = { ...blob, keyHex, diffId, reused: existing !== undefined };
  };
  let next = 0;
  let failed = false;
  const worker = async () => {
    while (next < layers.length && !failed) {
      try {
        await one(next++);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await allSettled(Array.from({ length: parallel }, worker));
  return sealed;
}

/** The layer that holds `/.ensconce/image`. */
function descriptionLayer(encoded: Uint8Array): Uint8Array {
  return Buffer.concat([
    tarHeader('.ensconce/', 0),
    tarHeader('.ensconce/image', encoded.length),
    encoded,
    tarEnd(encoded.length),
  ]);
}

/**
 * Turns an OCI image into a confidential one: the runtime's layer, the original's layers sealed one by one, and the
 * description that is measured (docs/formats/measurement.md). The same input, secret and runtime give the same bytes
 * and the same measurement. Sealed layers that the destination holds already are verified and used again.
 */
export async function transformImage(options: TransformOptions): Promise<TransformResult> {
  const architecture = options.runtime.architecture;
  await checkOptions(options);
  const source = await readImage(options.from, { os: 'linux', architecture });
  checkSource(source);
  const config = originalConfig(source.config, options.overrides);
  const destination = await Destination.open(options.to.directory);
  try {
    const [layers, runtime] = await allSettled([
      sealAll(source, destination, options),
      copyRuntime(destination, options.runtime),
    ]);
    checkOverlay(destination.directory, layers);
    const description = describe(
      options,
      layers.map(({ root }) => root),
    );
    const encoded = encodeDescription(description);
    const described = await destination.writeBlob(descriptionLayer(encoded));
    const manifest = await writeManifest(source, destination, options, [
      { ...runtime, mediaType: options.runtime.mediaType, diffId: options.runtime.diffId },
      ...layers.map(({ digest, size }) => ({ digest, size, mediaType: plainLayerType, diffId: digest })),
      { ...described, mediaType: plainLayerType, diffId: described.digest },
    ]);
    options.signal?.throwIfAborted();
    await destination.writeIndex(
      await indexWith(destination.directory, options.to.tag, manifest, architecture),
    );
    const sum = (sizes: readonly { size: number }[]) => sizes.reduce((total, { size }) => total + size, 0);
    return {
      measurement: measureDescription(encoded),
      description,
      layers,
      config,
      overrides: options.overrides ?? {},
      manifestDigest: manifest.digest,
      sizes: { original: sum(source.manifest.layers), sealed: sum(layers), runtime: runtime.size },
      whatChanged: configChanges(source.config, Object.keys(source.manifest.annotations ?? {}).length),
    };
  } finally {
    await destination.close();
  }
}

interface OutputLayer extends WrittenBlob {
  readonly mediaType: string;
  readonly diffId: string;
}

async function writeManifest(
  source: SourceImage,
  destination: Destination,
  options: TransformOptions,
  layers: readonly OutputLayer[],
): Promise<WrittenBlob> {
  const config = await destination.writeBlob(
    canonicalJson(
      confidentialConfig({
        original: source.config,
        diffIds: layers.map(({ diffId }) => diffId),
        environment: options.runtimeEnvironment ?? {},
      }) as Json,
    ),
  );
  return destination.writeBlob(
    canonicalJson({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
      layers: layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
    }),
  );
}
