import { loadKoffi } from '@ensconce/fuse/native';
import type { Aead, AeadFactory } from './aead.ts';
import { keySize, nonceSize, tagSize } from './aead.ts';
import { VolumeError } from './errors.ts';

/** EVP_CTRL_AEAD_GET_TAG and EVP_CTRL_AEAD_SET_TAG of openssl/evp.h. */
const getTag = 0x10;
const setTag = 0x11;

/**
 * AES-256-GCM by the EVP functions of the OpenSSL that Node itself carries, with one context per key and direction:
 * at 4 KiB five times as fast as node:crypto, which makes a context for each message.
 */
export function evpAead(koffiPath?: string): AeadFactory {
  const library = loadKoffi(koffiPath).load(null);
  const newContext = library.func('void *EVP_CIPHER_CTX_new()');
  const freeContext = library.func('void EVP_CIPHER_CTX_free(void *context)');
  const cipher = library.func('const void *EVP_aes_256_gcm()')();
  const initialise = library.func(
    'int EVP_CipherInit_ex(void *context, const void *cipher, void *engine, const void *key, const void *nonce, int seal)',
  );
  const update = library.func(
    'int EVP_CipherUpdate(void *context, void *out, void *outLength, const void *from, int length)',
  );
  const final = library.func('int EVP_CipherFinal_ex(void *context, void *out, void *outLength)');
  const control = library.func('int EVP_CIPHER_CTX_ctrl(void *context, int type, int length, void *pointer)');
  const outLength = new Uint8Array(4);
  const nothing = new Uint8Array(tagSize);
  const tag = new Uint8Array(tagSize);

  const check = (result: unknown): void => {
    if (result !== 1)
      throw new VolumeError('VOLUME_FAILED', 'OpenSSL: success of an AES-256-GCM call expected, it failed');
  };
  const contextOf = (key: Uint8Array, seal: 0 | 1): unknown => {
    const context = newContext();
    check(initialise(context, cipher, null, key, null, seal));
    return context;
  };

  return (key): Aead => {
    if (key.length !== keySize) throw new RangeError(`a key has ${keySize} bytes, not ${key.length}`);
    const own = Uint8Array.from(key);
    let sealing: unknown;
    let opening: unknown;
    return {
      seal(nonce, aad, plain, out) {
        if (nonce.length !== nonceSize || out.length < plain.length + tagSize)
          throw new RangeError('seal: a nonce or an output of the wrong size');
        sealing ??= contextOf(own, 1);
        check(initialise(sealing, null, null, null, nonce, 1));
        check(update(sealing, null, outLength, aad, aad.length));
        if (plain.length > 0) check(update(sealing, out, outLength, plain, plain.length));
        check(final(sealing, nothing, outLength));
        check(control(sealing, getTag, tagSize, tag));
        for (let i = 0; i < tagSize; i++) out[plain.length + i] = tag[i] as number;
      },
      open(nonce, aad, sealed, out) {
        const length = sealed.length - tagSize;
        if (nonce.length !== nonceSize || length < 0 || out.length < length)
          throw new RangeError('open: a nonce, an input or an output of the wrong size');
        opening ??= contextOf(own, 0);
        check(initialise(opening, null, null, null, nonce, 0));
        check(update(opening, null, outLength, aad, aad.length));
        if (length > 0) check(update(opening, out, outLength, sealed, length));
        check(control(opening, setTag, tagSize, sealed.subarray(length, length + tagSize)));
        return final(opening, nothing, outLength) === 1;
      },
      free() {
        own.fill(0);
        if (sealing) freeContext(sealing);
        if (opening) freeContext(opening);
        sealing = opening = undefined;
      },
    };
  };
}
