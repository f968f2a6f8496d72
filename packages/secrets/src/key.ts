import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { KeyType, Secret } from '@ensconce/policy/session';
import { wrongValue } from './random-value.ts';
import type { Stored } from './stored.ts';

/** Makes a key of one type. Key pairs come from OpenSSL's own generator, which takes no outside randomness. */
const generators: Readonly<Record<KeyType, () => KeyObject>> = {
  'P-256': () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  'P-384': () => generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey,
  Ed25519: () => generateKeyPairSync('ed25519').privateKey,
  'RSA-2048': () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
  'RSA-3072': () => generateKeyPairSync('rsa', { modulusLength: 3072 }).privateKey,
};

export function createKey(secret: Secret): Stored<'private-key'> {
  const { value } = secret;
  if (value === undefined) return storedKey(generators[secret.keyType ?? 'P-256'](), true);
  if (typeof value !== 'string') throw wrongValue(secret, 'a PEM private key');
  try {
    const key = createPrivateKey(value);
    keyTypeOf(key);
    return storedKey(key, false);
  } catch (cause) {
    throw wrongValue(
      secret,
      'an unencrypted PEM private key (P-256, P-384, Ed25519, RSA of 2048 bits or more)',
      cause,
    );
  }
}

function storedKey(key: KeyObject, generated: boolean): Stored<'private-key'> {
  return { kind: 'private-key', pkcs8: key.export({ type: 'pkcs8', format: 'der' }).toBase64(), generated };
}

export function createPublic(
  secret: Secret,
  key: Stored<'private-key'> | undefined,
): Stored<'public-key'> | undefined {
  try {
    const found =
      typeof secret.value === 'string'
        ? createPublicKey(secret.value)
        : key && createPublicKey(privateKeyOf(key.pkcs8));
    return found && { kind: 'public-key', spki: found.export({ type: 'spki', format: 'der' }).toBase64() };
  } catch (cause) {
    throw wrongValue(secret, 'a PEM public key', cause);
  }
}

/** @param pkcs8 base64 of DER. */
export function privateKeyOf(pkcs8: string): KeyObject {
  return createPrivateKey({ key: Buffer.from(pkcs8, 'base64'), type: 'pkcs8', format: 'der' });
}

export function publicKeyOf(spki: string): KeyObject {
  return createPublicKey({ key: Buffer.from(spki, 'base64'), type: 'spki', format: 'der' });
}

/** Which of the language's key types a key is; throws `TypeError` for any other. */
export function keyTypeOf(key: KeyObject): 'P-256' | 'P-384' | 'Ed25519' | 'RSA' {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === 'ed25519') return 'Ed25519';
  if (type === 'ec' && details?.namedCurve === 'prime256v1') return 'P-256';
  if (type === 'ec' && details?.namedCurve === 'secp384r1') return 'P-384';
  if (type === 'rsa' && (details?.modulusLength ?? 0) >= 2048) return 'RSA';
  throw new TypeError(`a key of a known type expected, ${type ?? 'a symmetric key'} found`);
}
