import { workerData } from 'node:worker_threads';
import { openLayers, type LayerAccess } from './layer-access.ts';

// Nothing starts from a layer that was changed anywhere, also where this start would not have read it. An exception
// reaches the runtime as this worker's error.
for (const layer of openLayers(workerData as LayerAccess)) layer.verify();
