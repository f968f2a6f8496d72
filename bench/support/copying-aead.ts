import type { AeadFactory } from '@ensconce/volume/aead';

/** Protects nothing: copies, with a tag of zeros. For measuring what encryption costs. */
export const copyingAead: AeadFactory = () => ({
  seal(_nonce, _aad, plain, out) {
    out.set(plain);
    out.fill(0, plain.length);
  },
  open(_nonce, _aad, sealed, out) {
    out.set(sealed.subarray(0, sealed.length - 16));
    return true;
  },
  free() {
    // Nothing is held.
  },
});
