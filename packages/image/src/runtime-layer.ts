import { Buffer } from 'node:buffer';
import { open, type FileHandle } from 'node:fs/promises';
import type { Destination, WrittenBlob } from './destination.ts';
import { ImageError } from './errors.ts';
import { wrongDigest } from './layout.ts';
import { layerTypes } from './media-types.ts';

/** The runtime's layer, as its release describes it. */
export interface RuntimeLayer {
  /** The blob on disk. */
  readonly path: string;
  readonly digest: string;
  readonly diffId: string;
  /** Bytes. */
  readonly size: number;
  readonly mediaType: string;
  /** Hex: digest of the canonical manifest of the runtime's folder, which is measured. */
  readonly runtimeDigest: string;
  readonly architecture: ImageArchitecture;
}

export type ImageArchitecture = 'amd64' | 'arm64';

/** Puts the runtime's layer into the destination as it is, verified. */
export async function copyRuntime(destination: Destination, runtime: RuntimeLayer): Promise<WrittenBlob> {
  const wanted = { digest: runtime.digest, size: runtime.size };
  if (!layerTypes.has(runtime.mediaType) || !/^sha256:[0-9a-f]{64}$/.test(runtime.diffId))
    throw new RangeError('a runtime layer has the media type of a layer and a sha256 diff id');
  if (await destination.has(wanted)) return wanted;
  let file: FileHandle;
  try {
    file = await open(runtime.path, 'r');
  } catch (cause) {
    throw new ImageError('IMAGE_BLOB_MISSING', `runtime: its layer expected at ${runtime.path}, none found`, {
      cause,
      hint: 'build the runtime layer, or download that of the release',
    });
  }
  const blob = await destination.newBlob();
  try {
    const buffer = Buffer.allocUnsafeSlow(1_048_576);
    for (let position = 0; ;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
      if (bytesRead === 0) break;
      await blob.write(buffer.subarray(0, bytesRead), position);
      position += bytesRead;
    }
    return await blob.commit((found) => {
      if (found.digest !== wanted.digest) throw wrongDigest(wanted.digest, found.digest, 'runtime layer');
    });
  } catch (error) {
    await blob.discard();
    throw error;
  } finally {
    await file.close();
  }
}
