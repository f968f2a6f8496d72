import { createHash, type Hash } from 'node:crypto';
import { ImageError } from './errors.ts';

const algorithms: Readonly<Record<string, { readonly digits: number }>> = {
  sha256: { digits: 64 },
  sha512: { digits: 128 },
};

/** A digest of the OCI image specification, `algorithm:hex`. */
export interface Digest {
  readonly algorithm: string;
  readonly hex: string;
}

/** Reads a digest from an untrusted descriptor; the result is safe as a part of a path. */
export function parseDigest(text: string): Digest {
  const [, algorithm, hex] = /^([a-z0-9]+):([0-9a-f]+)$/.exec(text) ?? [];
  if (algorithm === undefined || hex?.length !== algorithms[algorithm]?.digits || hex === undefined) {
    throw new ImageError(
      'IMAGE_SCHEMA',
      `digest: sha256:HEX or sha512:HEX expected, ${text.slice(0, 200)} found`,
    );
  }
  return { algorithm, hex };
}

export function hashOf(digest: string): Hash {
  return createHash(parseDigest(digest).algorithm);
}

export function sha256Digest(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
