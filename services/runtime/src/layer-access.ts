import { openSync } from 'node:fs';
import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import { createCaches } from '@ensconce/sealed-layer/caches';
import { SealedLayer } from '@ensconce/sealed-layer/reader';

/** What the runtime hands to a worker that reads the application's sealed layers. */
export interface LayerAccess {
  /** Lowest first; `path` is on the host's side, its contents are untrusted until `root` and a key have judged them. */
  readonly layers: readonly { readonly path: string; readonly root: string }[];
  /** {@link LayerKeys} come here once CAS has given them; then `arrived[0]` is 1. */
  readonly keys: MessagePort;
  readonly arrived: Int32Array;
}

/** 32 bytes for each layer, lowest first. */
export type LayerKeys = readonly Uint8Array[];

/** Opens the layers, lowest first, as soon as their keys are there; blocks this worker until then. */
export function openLayers(access: LayerAccess): SealedLayer[] {
  const descriptors = access.layers.map(({ path }) => openSync(path, 'r'));
  Atomics.wait(access.arrived, 0, 0);
  const keys = receiveMessageOnPort(access.keys)?.message as LayerKeys;
  access.keys.close();
  const caches = createCaches();
  return access.layers.map(({ root }, index) =>
    SealedLayer.openDescriptor(descriptors[index] as number, {
      name: String(index),
      key: keys[index] as Uint8Array,
      root,
      caches,
    }),
  );
}
