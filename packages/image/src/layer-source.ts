import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { hashOf } from './digest.ts';
import { ImageError } from './errors.ts';
import { existingBlob, unknownType, wrongDigest, wrongSize } from './layout.ts';
import { layerTypes, type Compression } from './media-types.ts';
import type { Descriptor } from './schemas.ts';

/** More than any layer has; a decompression bomb ends here. */
const maxLayerBytes = 2 ** 40;
const readSize = 1_048_576;

function decompressor(compression: Exclude<Compression, 'none'>) {
  return compression === 'gzip'
    ? createGunzip({ chunkSize: 262_144 })
    : createZstdDecompress({ chunkSize: 262_144 });
}

async function* verified(
  source: AsyncIterable<Uint8Array>,
  descriptor: Descriptor,
  onBytes: (count: number) => void,
): AsyncGenerator<Uint8Array> {
  const hash = hashOf(descriptor.digest);
  let size = 0;
  for await (const part of source) {
    size += part.length;
    if (size > descriptor.size) throw wrongSize(descriptor, size);
    hash.update(part);
    onBytes(part.length);
    yield part;
  }
  if (size !== descriptor.size) throw wrongSize(descriptor, size);
  const found = `${descriptor.digest.split(':', 1)[0]}:${hash.digest('hex')}`;
  if (found !== descriptor.digest) throw wrongDigest(descriptor.digest, found);
}

/**
 * The uncompressed bytes of a layer as they are read. What comes out is not authentic before the end: the blob's
 * digest and size and the diff id are verified there, and the iteration throws where one is wrong.
 */
export async function* layerSource(
  directory: string,
  descriptor: Descriptor,
  diffId: string,
  onBytes: (count: number) => void = () => {},
): AsyncGenerator<Uint8Array> {
  const compression = layerTypes.get(descriptor.mediaType);
  if (compression === undefined) throw unknownType('a layer (tar, gzip or zstd)', descriptor.mediaType);
  const path = await existingBlob(directory, descriptor);
  const file = createReadStream(path, { highWaterMark: readSize });
  const hash = hashOf(diffId);
  let size = 0;
  let failure: unknown;
  const checked = async function* (source: AsyncIterable<Uint8Array>) {
    try {
      yield* verified(source, descriptor, onBytes);
    } catch (error) {
      failure = error;
      throw error;
    }
  };
  const plain: AsyncIterable<Uint8Array> =
    compression === 'none'
      ? checked(file)
      : pipeline(file, checked, decompressor(compression), () => {
          // The error reaches whoever iterates.
        });
  try {
    for await (const part of plain) {
      size += part.length;
      if (size > maxLayerBytes)
        throw new ImageError(
          'IMAGE_COMPRESSION',
          `layer ${descriptor.digest}: at most 1 TiB expected, more found`,
        );
      hash.update(part);
      yield part;
    }
  } catch (cause) {
    if (failure !== undefined) throw failure;
    if (cause instanceof ImageError) throw cause;
    const code = (cause as NodeJS.ErrnoException).code ?? '';
    if (!/^(?:Z_|ZSTD_|ERR_ZLIB|ERR_ZSTD)/.test(code)) throw cause;
    throw new ImageError(
      'IMAGE_COMPRESSION',
      `layer ${descriptor.digest}: ${compression} data to the end expected, ${(cause as Error).message} found`,
      { cause, hint: 'the layer is truncated or broken; build or copy the image again' },
    );
  }
  const found = `${diffId.split(':', 1)[0]}:${hash.digest('hex')}`;
  if (found !== diffId) throw wrongDigest(diffId, found, `layer ${descriptor.digest}: diff id`);
}

/**
 * Why a layer could not be unpacked: where the blob is not the one that its digest names, that is the reason, and
 * what the unpacking met is only what followed.
 */
export async function reasonOf(error: unknown, directory: string, descriptor: Descriptor): Promise<unknown> {
  if (!(error instanceof ImageError) || !['IMAGE_TAR', 'IMAGE_COMPRESSION'].includes(error.code))
    return error;
  const hash = hashOf(descriptor.digest);
  for await (const part of createReadStream(await existingBlob(directory, descriptor), {
    highWaterMark: readSize,
  }))
    hash.update(part as Uint8Array);
  const found = `${descriptor.digest.split(':', 1)[0]}:${hash.digest('hex')}`;
  return found === descriptor.digest ? error : wrongDigest(descriptor.digest, found, 'blob', error);
}
