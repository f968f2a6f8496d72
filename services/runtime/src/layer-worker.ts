import { openSync } from 'node:fs';
import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import { ReadOnlyFilesystem } from '@ensconce/fuse/read-only';
import { serveWorker } from '@ensconce/fuse/worker';
import { createCaches } from '@ensconce/sealed-layer/caches';
import { MergedTree } from '@ensconce/sealed-layer/merged-tree';
import { SealedLayer } from '@ensconce/sealed-layer/reader';

/** What the runtime hands to the worker that serves the application's sealed layers. */
export interface LayerWorkerData {
  /** Lowest first; `path` is on the host's side, its contents are untrusted until `root` and a key have judged them. */
  readonly layers: readonly { readonly path: string; readonly root: string }[];
  /** {@link LayerKeys} come here once CAS has given them; then `arrived[0]` is 1. */
  readonly keys: MessagePort;
  readonly arrived: Int32Array;
}

/** 32 bytes for each layer, lowest first. */
export type LayerKeys = readonly Uint8Array[];

serveWorker((value) => {
  const data = value as LayerWorkerData;
  const descriptors = data.layers.map(({ path }) => openSync(path, 'r'));
  Atomics.wait(data.arrived, 0, 0);
  const keys = receiveMessageOnPort(data.keys)?.message as LayerKeys;
  data.keys.close();
  const caches = createCaches();
  const layers = data.layers.map(({ root }, index) =>
    SealedLayer.openDescriptor(descriptors[index] as number, {
      name: String(index),
      key: keys[index] as Uint8Array,
      root,
      caches,
    }),
  );
  // Nothing starts from a layer that was changed anywhere, also where this start would not have read it.
  for (const layer of layers) layer.verify();
  return new ReadOnlyFilesystem(new MergedTree(layers));
});
