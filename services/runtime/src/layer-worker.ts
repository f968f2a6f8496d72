import { ReadOnlyFilesystem } from '@ensconce/fuse/read-only';
import { serveWorker } from '@ensconce/fuse/worker';
import { MergedTree } from '@ensconce/sealed-layer/merged-tree';
import { openLayers, type LayerAccess } from './layer-access.ts';

serveWorker((access) => new ReadOnlyFilesystem(new MergedTree(openLayers(access as LayerAccess))));
