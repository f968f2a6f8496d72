import { Buffer } from 'node:buffer';
import { posix } from 'node:path';
import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads';
import { serveFilesystem, type ServedFilesystem } from '@ensconce/fuse/serve';
import type { ImageDescription } from '@ensconce/measurement/image';
import type { Configuration } from '@ensconce/wire/configuration';
import { RuntimeError } from './errors.ts';
import type { LayerAccess, LayerKeys } from './layer-access.ts';
import type { Log } from './log.ts';
import { hostPath, lowerPath } from './root.ts';

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
  /** Hands the keys over and resolves when the merged layers are mounted. */
  mount(configuration: Configuration): Promise<ServedFilesystem>;
  /** Resolves when every byte of every layer has proved authentic, some time after the keys were handed over. */
  readonly verified: Promise<void>;
}

/** A worker's access to the layers, and this side's end of the channel for the keys. */
function makeAccess(
  description: ImageDescription,
  arrived: Int32Array,
): { access: LayerAccess; port: MessagePort } {
  const { port1, port2 } = new MessageChannel();
  const layers = description.layers.map((root, i) => ({
    path: posix.join(folder, `${String(i).padStart(3, '0')}.sealed`),
    root,
  }));
  return { access: { keys: port2, arrived, layers }, port: port1 };
}

function startVerifier(access: LayerAccess): Promise<void> {
  const worker = new Worker(new URL('./layer-verifier.mjs', import.meta.url), {
    workerData: access,
    transferList: [access.keys],
    env: {},
    argv: [],
  });
  const verified = new Promise<void>((resolve, reject) => {
    worker.once('error', (cause) =>
      reject(new RuntimeError('LAYER', 'the sealed layers are not those of this image', { cause, hint })),
    );
    worker.once('exit', (code) =>
      code === 0 ? resolve() : reject(new RuntimeError('LAYER', 'the sealed layers could not be verified')),
    );
  });
  // Awaited once the layers are mounted; until then a failure must not end the process.
  verified.catch(() => undefined);
  return verified;
}

/**
 * Starts the workers that serve the merged sealed layers read-only and verify the whole of them. They start before the
 * keys are there, because a worker takes longer to start than an attestation takes; they wait for them.
 */
export function startLayers(
  description: ImageDescription,
  log: Log,
  onDamage: (line: string) => void,
): SealedLayers {
  const arrived = new Int32Array(new SharedArrayBuffer(4));
  const serving = makeAccess(description, arrived);
  const verifying = makeAccess(description, arrived);
  const served = serveFilesystem({
    mountpoint: lowerPath,
    worker: new URL('./layer-worker.mjs', import.meta.url),
    data: serving.access,
    transfer: [serving.access.keys],
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
    verified: startVerifier(verifying.access),
    mount: async (configuration) => {
      const keys = layerKeys(configuration, description);
      for (const { port } of [serving, verifying]) port.postMessage(keys);
      Atomics.store(arrived, 0, 1);
      Atomics.notify(arrived, 0);
      try {
        return await served;
      } catch (cause) {
        throw new RuntimeError('LAYER', 'the sealed layers could not be mounted', { cause, hint });
      } finally {
        for (const { port } of [serving, verifying]) port.close();
      }
    },
  };
}
