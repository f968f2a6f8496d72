import { createCaches } from '@ensconce/sealed-layer/caches';
import { SealedLayer } from '@ensconce/sealed-layer/reader';
import { zstdDecompressor } from './zstd.ts';

/** A sealed layer where the host put it: its contents are untrusted until `root` and a key have judged them. */
export interface LayerFile {
  readonly path: string;
  readonly root: string;
}

/** 32 bytes for each layer, lowest first. */
export type LayerKeys = readonly Uint8Array[];

export function openLayers(
  files: readonly LayerFile[],
  descriptors: readonly number[],
  keys: LayerKeys,
): readonly SealedLayer[] {
  const caches = createCaches();
  const decompress = zstdDecompressor();
  return files.map(({ root }, index) =>
    SealedLayer.openDescriptor(descriptors[index] as number, {
      name: String(index),
      key: keys[index] as Uint8Array,
      root,
      caches,
      decompress,
    }),
  );
}

/** The two threads that verify before the start: the runtime's own, idle then, and the worker that will serve. */
export const mainShare = 0;
export const workerShare = 1;
const shares = 2;

/** Nothing starts from a layer that was changed anywhere, also where this start would not have read it. */
export function verifyShare(
  layers: readonly SealedLayer[],
  share: typeof mainShare | typeof workerShare,
): void {
  for (const layer of layers) layer.verify(share, shares);
}
