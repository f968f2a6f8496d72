import { createCipheriv, createDecipheriv } from 'node:crypto';

export const tagSize = 16;
export const keySize = 32;
export const nonceSize = 12;

/** AES-256-GCM under one key. Buffers may be views; input and output of one call must not overlap unless they are equal. */
export interface Aead {
  /** Writes the ciphertext of `plain` and then the tag to `out`, which has room for `tagSize` bytes more. */
  seal(nonce: Uint8Array, aad: Uint8Array, plain: Uint8Array, out: Uint8Array): void;
  /** Writes the plaintext of `sealed` (ciphertext and tag) to `out`; false, and `out` unusable, if it is not authentic. */
  open(nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array, out: Uint8Array): boolean;
  /** Gives back what the implementation holds; the object is not used after that. */
  free(): void;
}

export type AeadFactory = (key: Uint8Array) => Aead;

/** AES-256-GCM by node:crypto: the reference that the faster one is held against. */
export const nodeAead: AeadFactory = (key) => ({
  seal(nonce, aad, plain, out) {
    const cipher = createCipheriv('aes-256-gcm', key, nonce);
    cipher.setAAD(aad);
    out.set(cipher.update(plain), 0);
    cipher.final();
    out.set(cipher.getAuthTag(), plain.length);
  },
  open(nonce, aad, sealed, out) {
    const length = sealed.length - tagSize;
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagSize });
    decipher.setAAD(aad);
    decipher.setAuthTag(sealed.subarray(length));
    out.set(decipher.update(sealed.subarray(0, length)), 0);
    try {
      decipher.final();
      return true;
    } catch {
      return false;
    }
  },
  free() {
    // node:crypto frees with the garbage collector.
  },
});
