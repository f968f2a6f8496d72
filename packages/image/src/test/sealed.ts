import { fromHex } from '@ensconce/base/bytes';
import { MergedTree } from '@ensconce/sealed-layer/merged-tree';
import { SealedLayer } from '@ensconce/sealed-layer/reader';
import { SealedLayerWriter, type SealedLayerResult } from '@ensconce/sealed-layer/writer';
import { readFileSync } from 'node:fs';
import { blobPath } from '../layout.ts';
import { copyEntries } from '../sealed-blob.ts';
import type { TransformResult } from '../transform.ts';

function inMemory(name: string, bytes: Uint8Array, root: string, key: Uint8Array): SealedLayer {
  return SealedLayer.open({
    name,
    key,
    root,
    size: bytes.length,
    readAt: (into, position) => {
      const part = bytes.subarray(position, position + into.length);
      into.set(part);
      return part.length;
    },
  });
}

/** Seals an archive in memory and opens it. */
export async function sealTar(
  tar: Uint8Array,
  cut = 65_536,
): Promise<{ tree: MergedTree; result: SealedLayerResult }> {
  const parts: { bytes: Uint8Array; position: number }[] = [];
  const key = new Uint8Array(32).fill(1);
  const writer = new SealedLayerWriter({
    key,
    output: { write: async (bytes, position) => void parts.push({ bytes: bytes.slice(), position }) },
  });
  const source = async function* () {
    for (let at = 0; at < tar.length; at += cut) yield tar.subarray(at, at + cut);
  };
  await copyEntries(source(), writer);
  const result = await writer.finish();
  const whole = new Uint8Array(result.size);
  for (const { bytes, position } of parts) whole.set(bytes, position);
  return { tree: new MergedTree([inMemory('test', whole, result.root, key)]), result };
}

/** The tree of a transformed image. */
export function openImage(directory: string, result: TransformResult): MergedTree {
  return new MergedTree(
    result.layers.map(({ digest, root, keyHex }, i) => {
      const tar = readFileSync(blobPath(directory, digest));
      const size = Number.parseInt(tar.subarray(1024 + 124, 1024 + 135).toString('latin1'), 8);
      return inMemory(`${i}`, tar.subarray(1536, 1536 + size), root, fromHex(keyHex, 32));
    }),
  );
}

export function find(tree: MergedTree, path: string): number | undefined {
  let node: number | undefined = 1;
  for (const name of path.split('/')) node = node && tree.lookup(node, Buffer.from(name, 'latin1'));
  return node;
}

export function textOf(tree: MergedTree, path: string): string | undefined {
  const node = find(tree, path);
  if (node === undefined) return undefined;
  const bytes = new Uint8Array(tree.attributes(node).size);
  tree.read(node, 0, bytes.length, bytes, 0);
  return Buffer.from(bytes).toString('latin1');
}
