import { openSync } from 'node:fs';
import { ReadOnlyFilesystem } from '@ensconce/fuse/read-only';
import { serveWorker } from '@ensconce/fuse/worker';
import { createCaches } from '@ensconce/sealed-layer/caches';
import { MergedTree } from '@ensconce/sealed-layer/merged-tree';
import { SealedLayer } from '@ensconce/sealed-layer/reader';

/** What the runtime hands to the worker that serves the application's sealed layers. */
export interface LayerWorkerData {
  /** Lowest first; `path` is on the host's side, its contents are untrusted until `root` and `key` have judged them. */
  readonly layers: readonly { readonly path: string; readonly root: string; readonly key: Uint8Array }[];
}

serveWorker((data) => {
  const { layers } = data as LayerWorkerData;
  const caches = createCaches();
  return new ReadOnlyFilesystem(
    new MergedTree(
      layers.map((layer, index) =>
        SealedLayer.openDescriptor(openSync(layer.path, 'r'), {
          name: String(index),
          key: layer.key,
          root: layer.root,
          caches,
        }),
      ),
    ),
  );
});
