import { createCipheriv, createDecipheriv } from 'node:crypto';
import { ByteReader, concatBytes, fromUtf8, utf8 } from '@ensconce/base/bytes';

/** SCONE's envelope of a vault value: base64 of these two, a length (u16), nonce, ciphertext and tag; AES-256-GCM. */
const magic = 0x00a1;
const version = 0x0002;
const nonceSize = 12;
const tagSize = 16;

/** @param nonce 12 random bytes; a key seals a few values in its life. */
export function sealEnvelope(text: string, key: Uint8Array, nonce: Uint8Array): string {
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: tagSize });
  const ciphertext = concatBytes(cipher.update(utf8(text)), cipher.final());
  const header = Buffer.alloc(6);
  header.writeUInt16BE(magic, 0);
  header.writeUInt16BE(version, 2);
  header.writeUInt16BE(ciphertext.length, 4);
  return concatBytes(header, nonce, ciphertext, cipher.getAuthTag()).toBase64();
}

/**
 * Throws `TypeError` for what is no envelope, or was not sealed with `key`. What the length counts is not published, so it
 * is not judged: the tag says whether the value is genuine.
 */
export function openEnvelope(text: string, key: Uint8Array): string {
  try {
    const reader = new ByteReader(Uint8Array.fromBase64(text), 'vault envelope');
    if (reader.u16be('magic') !== magic || reader.u16be('version') !== version)
      throw new TypeError('another envelope');
    reader.u16be('length');
    const nonce = reader.bytes(nonceSize, 'nonce');
    const ciphertext = reader.bytes(Math.max(0, reader.remaining - tagSize), 'ciphertext');
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagSize });
    decipher.setAuthTag(reader.bytes(tagSize, 'tag'));
    return fromUtf8(concatBytes(decipher.update(ciphertext), decipher.final()));
  } catch (cause) {
    throw new TypeError('an envelope sealed with this key expected, something else found', { cause });
  }
}
