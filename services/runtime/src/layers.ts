import { Buffer } from 'node:buffer';
import { closeSync, openSync } from 'node:fs';
import { posix } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import { serveFilesystem, type ServedFilesystem } from '@ensconce/fuse/serve';
import type { ImageDescription } from '@ensconce/measurement/image';
import type { Configuration } from '@ensconce/wire/configuration';
import { RuntimeError } from './errors.ts';
import type { LayerWorkerData } from './layer-worker.ts';
import type { Log } from './log.ts';
import { hostPath, lowerPath } from './root.ts';
import { mainShare, openLayers, verifyShare, type LayerFile, type LayerKeys } from './sealed-layers.ts';

const hint = 'the image was damaged or changed after it was made; pull it again from a source you trust';
const folder = posix.join(hostPath, '.ensconce', 'layers');

/**
 * The keys that CAS gave, for the layers that were measured. A configuration for other layers is refused: keys are only
 * ever used on what the measurement covers.
 */
function layerKeys(configuration: Configuration, description: ImageDescription): LayerKeys {
  const roots = configuration.layers.map((layer) => layer.root);
  if (roots.length !== description.layers.length || roots.some((root, i) => root !== description.layers[i])) {
    throw new RuntimeError(
      'CONFIGURATION',
      `layers: the ${description.layers.length} measured sealed layers expected in the policy, others found`,
      { hint: "the policy's `ensconce: layers:` must be what `ensconce image` wrote for this image" },
    );
  }
  return configuration.layers.map((layer) => new Uint8Array(Buffer.from(layer.key, 'base64')));
}

export interface SealedLayers {
  /** Hands the keys over and resolves when every byte of the layers has proved authentic and they are mounted. */
  mount(configuration: Configuration): Promise<ServedFilesystem>;
}

function verifyHere(files: readonly LayerFile[], keys: LayerKeys): void {
  const descriptors = files.map(({ path }) => openSync(path, 'r'));
  try {
    verifyShare(openLayers(files, descriptors, keys), mainShare);
  } finally {
    for (const descriptor of descriptors) closeSync(descriptor);
  }
}

/**
 * Starts the worker that verifies the sealed layers and serves them, merged and read-only. It starts before the keys are
 * there, because a worker takes about as long to start as an attestation takes; it waits for them.
 */
export function startLayers(
  description: ImageDescription,
  log: Log,
  onDamage: (line: string) => void,
): SealedLayers {
  const { port1, port2 } = new MessageChannel();
  const arrived = new Int32Array(new SharedArrayBuffer(4));
  const files: readonly LayerFile[] = description.layers.map((root, i) => ({
    path: posix.join(folder, `${String(i).padStart(3, '0')}.sealed`),
    root,
  }));
  const data: LayerWorkerData = { keys: port2, arrived, layers: files };
  const served = serveFilesystem({
    mountpoint: lowerPath,
    worker: new URL('./layer-worker.mjs', import.meta.url),
    data,
    transfer: [port2],
    devicePath: posix.join(hostPath, 'dev', 'fuse'),
    readOnly: true,
    log: (line) => {
      log('ERROR', line);
      onDamage(line);
    },
  });
  // Whoever never mounts never hears of it; the process is about to end then.
  served.catch(() => undefined);
  return {
    mount: async (configuration) => {
      const keys = layerKeys(configuration, description);
      port1.postMessage(keys);
      Atomics.store(arrived, 0, 1);
      Atomics.notify(arrived, 0);
      try {
        verifyHere(files, keys);
        return await served;
      } catch (cause) {
        throw new RuntimeError('LAYER', 'the sealed layers could not be mounted', { cause, hint });
      } finally {
        port1.close();
      }
    },
  };
}
