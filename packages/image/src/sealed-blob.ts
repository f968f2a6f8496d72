import { Buffer } from 'node:buffer';
import { open, type FileHandle } from 'node:fs/promises';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { toHex, equalBytes } from '@ensconce/base/bytes';
import { SealedLayer, peekHeader } from '@ensconce/sealed-layer/reader';
import { SealedLayerError } from '@ensconce/sealed-layer/errors';
import { SealedLayerWriter } from '@ensconce/sealed-layer/writer';
import type { Destination, WrittenBlob } from './destination.ts';
import { ImageError } from './errors.ts';
import { blobPath } from './layout.ts';
import { layerSource, reasonOf } from './layer-source.ts';
import { plainLayerType } from './media-types.ts';
import type { Descriptor } from './schemas.ts';
import { blockSize, text } from './tar-header.ts';
import { TarReader, type TarEntry } from './tar-reader.ts';
import { tarEnd, tarHeader } from './tar-writer.ts';

/** Where the sealed layer starts in its tar: behind the headers of two folders and of the file. */
const sealedOffset = 3 * blockSize;

/** A sealed layer in the destination: the tar that holds it is its own diff id. */
export interface SealedBlob extends WrittenBlob {
  /** Hex. */
  readonly root: string;
}

export interface OriginalLayer {
  readonly directory: string;
  readonly descriptor: Descriptor;
  readonly diffId: string;
}

function tarHeaders(position: number, size: number): Uint8Array[] {
  const name = `.ensconce/layers/${position.toString().padStart(3, '0')}.sealed`;
  return [tarHeader('.ensconce/', 0), tarHeader('.ensconce/layers/', 0), tarHeader(name, size)];
}

async function copyContents(
  reader: TarReader,
  writer: SealedLayerWriter,
  { entry, sparse }: TarEntry,
): Promise<void> {
  if (entry.kind !== 'file') return;
  if (sparse === undefined) {
    for (let part = await reader.read(); part !== undefined; part = await reader.read())
      await writer.write(part);
    return;
  }
  let at = 0;
  for (const { offset, length } of sparse.pieces) {
    await writer.hole(offset - at);
    for (let left = length; left > 0;) {
      const part = await reader.read(left);
      if (part === undefined) throw new TypeError('a checked sparse map holds its pieces');
      await writer.write(part);
      left -= part.length;
    }
    at = offset + length;
  }
  await writer.hole(sparse.realSize - at);
}

/** Seals the entries of an untrusted archive, reading the source to its end. */
export async function copyEntries(
  source: AsyncIterable<Uint8Array>,
  writer: SealedLayerWriter,
  signal?: AbortSignal,
): Promise<void> {
  const reader = new TarReader(source);
  try {
    for (let next = await reader.next(); next !== undefined; next = await reader.next()) {
      signal?.throwIfAborted();
      await writer.add(next.entry);
      await copyContents(reader, writer, next);
    }
    await reader.drain();
  } finally {
    await reader.close();
  }
}

function asImageError(error: unknown, digest: string): unknown {
  if (!(error instanceof SealedLayerError)) return error;
  return new ImageError('IMAGE_TAR', `layer ${digest}: ${error.message}`, { cause: error });
}

/** Seals one original layer into a new blob of the destination, streaming. */
export async function sealLayer(
  destination: Destination,
  layer: OriginalLayer,
  position: number,
  key: Uint8Array,
  onBytes: (count: number) => void,
  signal?: AbortSignal,
): Promise<SealedBlob> {
  const blob = await destination.newBlob();
  try {
    const writer = new SealedLayerWriter({
      key,
      output: { write: (bytes, at) => blob.write(bytes, sealedOffset + at) },
    });
    const source = layerSource(layer.directory, layer.descriptor, layer.diffId, onBytes);
    try {
      await copyEntries(source, writer, signal);
    } catch (error) {
      const { directory, descriptor } = layer;
      throw await reasonOf(asImageError(error, descriptor.digest), directory, descriptor);
    }
    const { root, size } = await writer.finish();
    for (const [i, header] of tarHeaders(position, size).entries()) await blob.write(header, i * blockSize);
    await blob.write(tarEnd(size), sealedOffset + size);
    return { ...(await blob.commit()), root };
  } catch (error) {
    await blob.discard();
    throw error;
  }
}

/** What a candidate blob says that it is: not to be believed before {@link reuseLayer}. */
export interface SealedCandidate extends WrittenBlob {
  readonly position: number;
  /** Hex. */
  readonly keyCommitment: string;
}

async function exactly(file: FileHandle, length: number): Promise<Uint8Array | undefined> {
  const bytes = new Uint8Array(length);
  const { bytesRead } = await file.read(bytes, 0, length, 0);
  return bytesRead === length ? bytes : undefined;
}

/** Looks at the first bytes of a blob of the destination; `undefined` where it holds no sealed layer. */
export async function peekSealedBlob(
  directory: string,
  descriptor: Descriptor,
): Promise<SealedCandidate | undefined> {
  if (descriptor.mediaType !== plainLayerType) return undefined;
  try {
    const file = await open(blobPath(directory, descriptor.digest), 'r');
    try {
      const start = await exactly(file, sealedOffset + 256);
      if (start === undefined) return undefined;
      const { keyCommitment, fileSize } = peekHeader(start.subarray(sealedOffset));
      const name = Buffer.from(text(start, 2 * blockSize, 100)).toString('latin1');
      const position = Number(/^\.ensconce\/layers\/([0-9]{3})\.sealed$/.exec(name)?.[1]);
      const headers = Buffer.concat(tarHeaders(position, fileSize));
      if (!equalBytes(headers, start.subarray(0, sealedOffset))) return undefined;
      return {
        digest: descriptor.digest,
        size: descriptor.size,
        position,
        keyCommitment: toHex(keyCommitment),
      };
    } finally {
      await file.close();
    }
  } catch {
    return undefined;
  }
}

/**
 * The sealed layer that a candidate is, once its digest is verified and its header, root and table have
 * authenticated under the layer's key, which nobody without the family secret has.
 */
export async function reuseLayer(
  destination: Destination,
  candidate: SealedCandidate,
  key: Uint8Array,
): Promise<SealedBlob | undefined> {
  if (!(await destination.has(candidate))) return undefined;
  try {
    const opened = openSealedBlob(destination.directory, candidate.digest, key);
    opened.close();
    return { digest: candidate.digest, size: candidate.size, root: opened.root };
  } catch (error) {
    if (error instanceof SealedLayerError) return undefined;
    throw error;
  }
}

/** A sealed layer inside its blob, open for reading until `close`. */
export interface OpenedBlob {
  readonly layer: SealedLayer;
  readonly root: string;
  close(): void;
}

/** Opens the sealed layer that a blob of the destination holds; header, root, key and table are verified. */
export function openSealedBlob(directory: string, digest: string, key: Uint8Array): OpenedBlob {
  const descriptor = openSync(blobPath(directory, digest), 'r');
  try {
    const header = new Uint8Array(256);
    readSync(descriptor, header, 0, header.length, sealedOffset);
    const { root, fileSize } = peekHeader(header);
    const layer = SealedLayer.open({
      name: digest,
      key,
      root,
      size: fstatSync(descriptor).size - sealedOffset - tarEnd(fileSize).length,
      readAt: (into, at) => readSync(descriptor, into, 0, into.length, sealedOffset + at),
    });
    return { layer, root, close: () => closeSync(descriptor) };
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}
