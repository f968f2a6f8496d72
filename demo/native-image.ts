import { execFileSync } from 'node:child_process';
import { gunzipSync } from 'node:zlib';
import type { TestImage } from '../test/images/oci-layout.ts';
import { pythonImage } from '../test/images/python.ts';
import { registryImage } from '../test/images/registry.ts';
import { layerBlob, readManifest } from './tamper.ts';

export interface NativeImage {
  readonly path: string;
  readonly reference: string;
  /** Texts of the image that must not be found in the confidential one. */
  readonly markers: readonly string[];
  readonly remove: () => void;
}

const shortest = 12;
const most = 500;

/** File names of an image's layers, long enough not to occur by chance. */
function fileNames(layout: string): string[] {
  const names = readManifest(layout).layers.flatMap((layer, position) => {
    const blob = layerBlob(layout, position);
    const input = layer.mediaType.endsWith('gzip') ? gunzipSync(blob) : blob;
    return execFileSync('tar', ['-t'], { input, maxBuffer: 1 << 28 })
      .toString()
      .split('\n');
  });
  const bases = names.map((name) => name.replace(/\/$/, '').split('/').at(-1) ?? '');
  return [...new Set(bases.filter((name) => name.length >= shortest))].slice(0, most);
}

/** The image to protect: the patients' report made from Debian packages, or the user's own from a registry. */
export async function nativeImage(reference: string | undefined): Promise<NativeImage> {
  if (reference === undefined) {
    const image: TestImage = await pythonImage();
    return { ...image, remove: () => undefined };
  }
  const image = await registryImage(reference);
  return {
    path: image.path,
    reference: image.reference,
    markers: fileNames(image.path),
    remove: () => image.remove(),
  };
}
