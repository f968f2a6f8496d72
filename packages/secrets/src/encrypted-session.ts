import type { KeyObject } from 'node:crypto';
import { compactDecrypt, CompactEncrypt } from 'jose';
import { fromUtf8, utf8 } from '@ensconce/base/bytes';
import { SecretsError } from './errors.ts';

/** Tells such a JWE from every other that is made for the same key. */
const type = 'ensconce-session+jwe';
/** Characters; a session text has at most 1 MiB. */
const longest = 2 * 1024 * 1024;

/**
 * A session text that only one CAS can read: a compact JWE (RFC 7516), ECDH-ES on P-256 with A256GCM. It hides the text
 * from whoever carries it and proves nothing about its author: signatures and client certificates do that.
 *
 * @param key the CAS's session encryption key.
 */
export async function encryptSession(text: string, key: KeyObject): Promise<string> {
  return new CompactEncrypt(utf8(text))
    .setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM', typ: type })
    .encrypt(key);
}

/** Throws `SECRETS_VALUE`. */
export async function decryptSession(jwe: string, privateKey: KeyObject): Promise<string> {
  const refused = (cause?: unknown) =>
    new SecretsError('SECRETS_VALUE', 'a session encrypted for this CAS expected, something else found', {
      cause,
    });
  if (jwe.length > longest) throw refused();
  try {
    const { plaintext, protectedHeader } = await compactDecrypt(jwe, privateKey, {
      keyManagementAlgorithms: ['ECDH-ES'],
      contentEncryptionAlgorithms: ['A256GCM'],
    });
    if (protectedHeader.typ === type) return fromUtf8(plaintext);
  } catch (cause) {
    throw refused(cause);
  }
  throw refused();
}
