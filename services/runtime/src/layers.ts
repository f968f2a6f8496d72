import { Buffer } from 'node:buffer';
import { posix } from 'node:path';
import { serveFilesystem, type ServedFilesystem } from '@ensconce/fuse/serve';
import type { ImageDescription } from '@ensconce/measurement/image';
import type { Configuration } from '@ensconce/wire/configuration';
import { RuntimeError } from './errors.ts';
import type { LayerWorkerData } from './layer-worker.ts';
import type { Log } from './log.ts';
import { hostPath, lowerPath } from './root.ts';

const folder = posix.join(hostPath, '.ensconce', 'layers');

/**
 * The files of the sealed layers with the roots that were measured and the keys that CAS gave. A configuration for
 * other layers than the measured ones is refused: keys are only ever used on what the measurement covers.
 */
function layerFiles(configuration: Configuration, description: ImageDescription): LayerWorkerData {
  const roots = configuration.layers.map((layer) => layer.root);
  if (roots.length !== description.layers.length || roots.some((root, i) => root !== description.layers[i])) {
    throw new RuntimeError(
      'CONFIGURATION',
      `layers: the ${description.layers.length} measured sealed layers expected in the policy, others found`,
      {
        hint: "the policy's `ensconce: layers:` must be what `ensconce image` wrote for this image",
      },
    );
  }
  return {
    layers: configuration.layers.map((layer, i) => ({
      path: posix.join(folder, `${String(i).padStart(3, '0')}.sealed`),
      root: layer.root,
      key: new Uint8Array(Buffer.from(layer.key, 'base64')),
    })),
  };
}

/** Mounts the merged sealed layers, read-only, served by a worker of this process. */
export async function mountLayers(
  configuration: Configuration,
  description: ImageDescription,
  log: Log,
): Promise<ServedFilesystem> {
  try {
    return await serveFilesystem({
      mountpoint: lowerPath,
      worker: new URL('./layer-worker.mjs', import.meta.url),
      data: layerFiles(configuration, description),
      devicePath: posix.join(hostPath, 'dev', 'fuse'),
      readOnly: true,
      log: (line) => log('ERROR', line),
    });
  } catch (cause) {
    if (cause instanceof RuntimeError) throw cause;
    throw new RuntimeError('LAYER', 'the sealed layers could not be mounted', { cause });
  }
}
