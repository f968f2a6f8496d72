import { createHmac, hash } from 'node:crypto';

/** What binds the states of a volume to each other. Both results are 32 bytes. */
export interface Digests {
  sha256(message: Uint8Array): Uint8Array;
  /** HMAC-SHA256 (RFC 2104) under a key of 32 bytes. */
  hmac(key: Uint8Array, message: Uint8Array): Uint8Array;
}

/** By node:crypto: the reference that the faster ones are held against. */
export const nodeDigests: Digests = {
  sha256: (message) => hash('sha256', message, 'buffer'),
  hmac: (key, message) => createHmac('sha256', key).update(message).digest(),
};
