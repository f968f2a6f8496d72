import { openSync } from 'node:fs';
import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import { ReadOnlyFilesystem } from '@ensconce/fuse/read-only';
import { serveWorker } from '@ensconce/fuse/worker';
import { MergedTree } from '@ensconce/sealed-layer/merged-tree';
import { openLayers, verifyShare, workerShare, type LayerFile, type LayerKeys } from './sealed-layers.ts';

/** What the runtime hands to the worker that serves the application's sealed layers. */
export interface LayerWorkerData {
  /** Lowest first. */
  readonly layers: readonly LayerFile[];
  /** {@link LayerKeys} come here once CAS has given them; then `arrived[0]` is 1. */
  readonly keys: MessagePort;
  readonly arrived: Int32Array;
}

serveWorker((value) => {
  const data = value as LayerWorkerData;
  const descriptors = data.layers.map(({ path }) => openSync(path, 'r'));
  Atomics.wait(data.arrived, 0, 0);
  const keys = receiveMessageOnPort(data.keys)?.message as LayerKeys;
  data.keys.close();
  const layers = openLayers(data.layers, descriptors, keys);
  verifyShare(layers, workerShare);
  return new ReadOnlyFilesystem(new MergedTree(layers));
});
