import { openSync } from 'node:fs';
import { ReadOnlyFilesystem } from '@ensconce/fuse/read-only';
import { serveWorker } from '@ensconce/fuse/worker';

/** What the runtime hands to the worker that serves the application's sealed layers. */
export interface LayerWorkerData {
  /** Lowest first. */
  readonly layers: readonly { readonly path: string; readonly root: string; readonly key: Uint8Array }[];
}

void openSync;
void ReadOnlyFilesystem;
void serveWorker;
