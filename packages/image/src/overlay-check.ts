import { Buffer } from 'node:buffer';
import { fromHex } from '@ensconce/base/bytes';
import { MergedTree } from '@ensconce/sealed-layer/merged-tree';
import type { SealedLayer } from '@ensconce/sealed-layer/reader';
import { ImageError } from './errors.ts';
import { openSealedBlob, type OpenedBlob } from './sealed-blob.ts';

/** The kind of what `path` names in `tree`, or of the first part of it that is no directory. */
function kindOf(tree: MergedTree, path: readonly Uint8Array[]): string | undefined {
  let node = 1;
  for (const name of path) {
    const next = tree.lookup(node, name);
    if (next === undefined) return undefined;
    node = next;
    const { kind } = tree.attributes(node);
    if (kind !== 'directory') return kind;
  }
  return 'directory';
}

function checkLayer(layer: SealedLayer, below: MergedTree, position: number): void {
  for (const directory of layer.implicitDirectories()) {
    const path = layer.path(directory);
    const kind = kindOf(below, path);
    if (kind === undefined || kind === 'directory') continue;
    const shown = Buffer.concat(path.flatMap((name) => [Buffer.from('/'), name])).toString('utf8');
    throw new ImageError(
      'IMAGE_TAR',
      `layer ${position}: ${JSON.stringify(shown.slice(0, 200))}: a directory in the layers below expected, ${kind} found`,
      {
        hint: 'the layer puts files into a directory that it does not list, where a lower layer has no directory: engines differ on what that means; add the directory to the layer, or write to the real path',
      },
    );
  }
}

/**
 * Refuses an image whose layers mean different things to different engines: files below a path that their own layer
 * does not list as a directory, and that is a symbolic link (or something else) in a lower one.
 */
export function checkOverlay(
  directory: string,
  layers: readonly { readonly digest: string; readonly keyHex: string }[],
): void {
  const opened: OpenedBlob[] = [];
  try {
    for (const [position, { digest, keyHex }] of layers.entries()) {
      const below = opened.map(({ layer }) => layer);
      const blob = openSealedBlob(directory, digest, fromHex(keyHex, 32));
      opened.push(blob);
      if (below.length > 0) checkLayer(blob.layer, new MergedTree(below), position);
    }
  } finally {
    for (const blob of opened) blob.close();
  }
}
