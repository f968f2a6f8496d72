import { hkdfSync } from 'node:crypto';
import { concatBytes, utf8 } from '@ensconce/base/bytes';
import { nodeDigests } from './digests.ts';
import type { Digests } from './digests.ts';

/** The keys that a volume's master key gives. */
export class VolumeKeys {
  readonly #data: Uint8Array;
  readonly #chain: Uint8Array;
  readonly #head: Uint8Array;
  readonly #digests: Digests;
  readonly volumeId: Uint8Array;
  /** Seed of the hash by which directories are ordered, so that nobody outside can choose names that collide. */
  readonly nameSeed: number;

  constructor(master: Uint8Array, volumeId: Uint8Array, digests = nodeDigests) {
    const derive = (purpose: string): Uint8Array =>
      hkdf(master, volumeId, `ensconce volume ${purpose} v1`, 32);
    this.volumeId = volumeId;
    this.#digests = digests;
    this.#data = derive('data');
    this.#chain = derive('chain');
    this.#head = derive('head');
    const names = derive('names');
    this.nameSeed = new DataView(names.buffer).getUint32(0, true);
  }

  /** The key of one segment: the salt is fresh for each, so a key never sees two messages under one position. */
  segment(salt: Uint8Array, number: number): Uint8Array {
    const info = new Uint8Array(4);
    new DataView(info.buffer).setUint32(0, number, true);
    return hkdf(this.#data, salt, concatBytes(utf8('ensconce volume segment v1'), this.volumeId, info), 32);
  }

  head(salt: Uint8Array): Uint8Array {
    return hkdf(this.#head, salt, concatBytes(utf8('ensconce volume head v1'), this.volumeId), 32);
  }

  /** SHA-256 of the tags of a commit's journal frames, in order. */
  journalDigest(tags: readonly Uint8Array[]): Uint8Array {
    return this.#digests.sha256(concatBytes(...tags));
  }

  /** The tag of the state that a commit record makes: HMAC-SHA256, so it commits to the key as well. */
  tag(commitRecord: Uint8Array): Uint8Array {
    return this.#digests.hmac(this.#chain, concatBytes(this.volumeId, commitRecord));
  }
}

export function hkdf(
  key: Uint8Array,
  salt: Uint8Array,
  info: string | Uint8Array,
  length: number,
): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', key, salt, info, length));
}
