import {
  constants,
  createPublicKey,
  hash,
  verify,
  type KeyObject,
  type VerifyKeyObjectInput,
} from 'node:crypto';
import { isSpkiOfPoint, unusableKey } from '@ensconce/x509/crypto';
import type { CryptoProvider, SignatureAlgorithm, VerificationKey } from '@ensconce/x509/crypto';

interface Scheme {
  /** Null where the scheme has its own. */
  readonly digest: string | null;
  /** As `KeyObject.asymmetricKeyType` and, for curves, `asymmetricKeyDetails.namedCurve` say. */
  readonly type: 'ec' | 'rsa' | 'ed25519';
  readonly curve?: 'prime256v1' | 'secp384r1';
  readonly options: Omit<VerifyKeyObjectInput, 'key'>;
}

const p1363 = { dsaEncoding: 'ieee-p1363' } as const;
const pkcs1 = { padding: constants.RSA_PKCS1_PADDING } as const;

const algorithms: Readonly<Record<SignatureAlgorithm, Scheme>> = {
  'ecdsa-p256-sha256': { digest: 'sha256', type: 'ec', curve: 'prime256v1', options: p1363 },
  'ecdsa-p256-sha384': { digest: 'sha384', type: 'ec', curve: 'prime256v1', options: p1363 },
  'ecdsa-p384-sha256': { digest: 'sha256', type: 'ec', curve: 'secp384r1', options: p1363 },
  'ecdsa-p384-sha384': { digest: 'sha384', type: 'ec', curve: 'secp384r1', options: p1363 },
  'rsa-pss-sha384': {
    digest: 'sha384',
    type: 'rsa',
    options: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 48 },
  },
  'rsa-pkcs1-sha256': { digest: 'sha256', type: 'rsa', options: pkcs1 },
  'rsa-pkcs1-sha384': { digest: 'sha384', type: 'rsa', options: pkcs1 },
  'rsa-pkcs1-sha512': { digest: 'sha512', type: 'rsa', options: pkcs1 },
  ed25519: { digest: null, type: 'ed25519', options: {} },
};

/** Bits. Below it a key is refused, above it verification costs an attacker's choice of time. */
const rsaBits = { least: 2048, most: 8192 } as const;

function fits(key: KeyObject, wanted: Scheme): boolean {
  if (key.asymmetricKeyType !== wanted.type) return false;
  if (wanted.type === 'ed25519') return true;
  if (wanted.type === 'ec') return key.asymmetricKeyDetails?.namedCurve === wanted.curve;
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  return bits >= rsaBits.least && bits <= rsaBits.most;
}

type KeyInput = Parameters<typeof createPublicKey>[0];

function readKey(input: KeyInput, algorithm: SignatureAlgorithm): KeyObject {
  try {
    return createPublicKey(input);
  } catch (cause) {
    throw unusableKey(algorithm, cause);
  }
}

function importKey(input: KeyInput, algorithm: SignatureAlgorithm): KeyObject {
  const key = readKey(input, algorithm);
  if (!fits(key, algorithms[algorithm])) throw unusableKey(algorithm);
  return key;
}

function verificationKey(key: KeyObject, algorithm: SignatureAlgorithm): VerificationKey {
  const { digest, options } = algorithms[algorithm];
  const keyed = { key, ...options };
  return { verify: (signature, data) => verify(digest, data, keyed, signature) };
}

/** The curve that an algorithm wants, by the name that bytes of a key can be told by. */
const points: Readonly<Partial<Record<SignatureAlgorithm, 'P-256' | 'P-384'>>> = {
  'ecdsa-p256-sha256': 'P-256',
  'ecdsa-p384-sha384': 'P-384',
};

function publicKey(spki: Uint8Array, algorithm: SignatureAlgorithm): VerificationKey {
  const input = {
    key: Buffer.from(spki.buffer, spki.byteOffset, spki.length),
    format: 'der',
    type: 'spki',
  } as const;
  const curve = points[algorithm];
  // Where the bytes themselves name the curve, asking OpenSSL for it again costs a tenth of the import.
  const named = curve !== undefined && isSpkiOfPoint(curve, spki);
  return verificationKey(named ? readKey(input, algorithm) : importKey(input, algorithm), algorithm);
}

/** Cryptography by the OpenSSL of this Node. Answers at once, so a judgement on warm collateral never waits. */
export const nodeCrypto: CryptoProvider = {
  sha1: (data) => hash('sha1', data, 'buffer'),
  sha256: (data) => hash('sha256', data, 'buffer'),
  sha384: (data) => hash('sha384', data, 'buffer'),
  sha512: (data) => hash('sha512', data, 'buffer'),
  publicKey,
  publicKeyOfJwk: ({ kty, n, e }, algorithm) =>
    verificationKey(importKey({ key: { kty, n, e }, format: 'jwk' }, algorithm), algorithm),
};
