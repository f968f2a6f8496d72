import { createCaches } from '../caches.ts';
import type { LayerEntry } from '../entry.ts';
import { SealedLayer } from '../reader.ts';
import { SealedLayerWriter, type SealedLayerResult } from '../writer.ts';

export const key: Uint8Array = new Uint8Array(32).fill(7);
export const attributes = { mode: 0o644, uid: 0, gid: 0, mtimeSeconds: 1, mtimeNanoseconds: 2, xattrs: [] };

export type Content = Uint8Array | undefined;
export interface Sealed extends SealedLayerResult {
  readonly bytes: Uint8Array;
}

/** Seals entries in memory; `cut` is the length of the pieces in which contents are given. */
export async function seal(
  entries: readonly (readonly [LayerEntry, Content])[],
  options: { cut?: number } = {},
): Promise<Sealed> {
  const { cut = 1_000_000 } = options;
  let bytes = new Uint8Array(4096);
  const writer = new SealedLayerWriter({
    key,
    output: {
      write: async (part, position) => {
        if (position + part.length > bytes.length) {
          const larger = new Uint8Array((position + part.length) * 2);
          larger.set(bytes);
          bytes = larger;
        }
        bytes.set(part, position);
      },
    },
  });
  for (const [entry, contents] of entries) {
    await writer.add(entry);
    if (contents === undefined) continue;
    for (let at = 0; at < contents.length; at += cut) await writer.write(contents.subarray(at, at + cut));
  }
  const result = await writer.finish();
  return { ...result, bytes: bytes.slice(0, result.size) };
}

/** Opens a sealed layer that lies in memory. */
export function openSealed(sealed: Sealed, caches = createCaches()): SealedLayer {
  return SealedLayer.open({
    name: 'test',
    key,
    root: sealed.root,
    size: sealed.bytes.length,
    caches,
    readAt: (into, position) => {
      const part = sealed.bytes.subarray(position, position + into.length);
      into.set(part);
      return part.length;
    },
  });
}
