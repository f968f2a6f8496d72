import { toHex } from '@ensconce/base/bytes';
import { keyCommitment } from '@ensconce/sealed-layer/keys';
import type { Destination } from './destination.ts';
import { readBlob } from './layout.ts';
import { manifestSchema, parseDocument, type Manifest } from './schemas.ts';
import { peekSealedBlob, reuseLayer, type SealedBlob, type SealedCandidate } from './sealed-blob.ts';

/** Finds the sealed layer of a key and position in the destination, verified. */
export type Reusable = (
  destination: Destination,
  position: number,
  key: Uint8Array,
) => Promise<SealedBlob | undefined>;

async function manifestOf(directory: string, digest: string, size: number): Promise<Manifest | undefined> {
  try {
    return parseDocument(
      manifestSchema,
      await readBlob(directory, { mediaType: '', digest, size }),
      'image manifest',
    );
  } catch {
    // What is not a confidential image, or a damaged one, offers nothing to reuse.
    return undefined;
  }
}

/**
 * Collects the sealed layers of the images that the destination holds. There is no cache file to trust: a sealed
 * layer's header shows a commitment to its key, and the key is that of one original layer, owner and compressor.
 */
export async function findSealed(
  directory: string,
  images: readonly { readonly digest: string; readonly size: number }[],
): Promise<Reusable> {
  const candidates = new Map<string, SealedCandidate>();
  const nameOf = (position: number, commitment: string) => `${position} ${commitment}`;
  for (const { digest, size } of images) {
    for (const descriptor of (await manifestOf(directory, digest, size))?.layers ?? []) {
      const candidate = await peekSealedBlob(directory, descriptor);
      if (candidate) candidates.set(nameOf(candidate.position, candidate.keyCommitment), candidate);
    }
  }
  return async (destination, position, key) => {
    const candidate = candidates.get(nameOf(position, toHex(keyCommitment(key))));
    return candidate && reuseLayer(destination, candidate, key);
  };
}
