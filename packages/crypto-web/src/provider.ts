import { unusableKey } from '@ensconce/x509/crypto';
import type { CryptoProvider, SignatureAlgorithm, VerificationKey } from '@ensconce/x509/crypto';

type Importing = Parameters<typeof crypto.subtle.importKey>[2];
type Verifying = Parameters<typeof crypto.subtle.verify>[0];

interface Scheme {
  readonly importing: Importing;
  readonly verifying: Verifying;
}

const ecdsa = (namedCurve: 'P-256' | 'P-384', hash: 'SHA-256' | 'SHA-384'): Scheme => ({
  importing: { name: 'ECDSA', namedCurve },
  verifying: { name: 'ECDSA', hash },
});
const pkcs1 = (hash: 'SHA-256' | 'SHA-384' | 'SHA-512'): Scheme => ({
  importing: { name: 'RSASSA-PKCS1-v1_5', hash },
  verifying: { name: 'RSASSA-PKCS1-v1_5' },
});

const schemes: Readonly<Record<SignatureAlgorithm, Scheme>> = {
  'ecdsa-p256-sha256': ecdsa('P-256', 'SHA-256'),
  'ecdsa-p256-sha384': ecdsa('P-256', 'SHA-384'),
  'ecdsa-p384-sha256': ecdsa('P-384', 'SHA-256'),
  'ecdsa-p384-sha384': ecdsa('P-384', 'SHA-384'),
  'rsa-pss-sha384': {
    importing: { name: 'RSA-PSS', hash: 'SHA-384' },
    verifying: { name: 'RSA-PSS', saltLength: 48 },
  },
  'rsa-pkcs1-sha256': pkcs1('SHA-256'),
  'rsa-pkcs1-sha384': pkcs1('SHA-384'),
  'rsa-pkcs1-sha512': pkcs1('SHA-512'),
  ed25519: { importing: { name: 'Ed25519' }, verifying: { name: 'Ed25519' } },
};

/** Bits. Below it a key is refused, above it verification costs an attacker's choice of time. */
const rsaBits = { least: 2048, most: 8192 } as const;

/** WebCrypto takes no view of a shared buffer, and its types say so. */
const own = (bytes: Uint8Array): Uint8Array<ArrayBuffer> =>
  bytes.buffer instanceof ArrayBuffer ? (bytes as Uint8Array<ArrayBuffer>) : Uint8Array.from(bytes);

function wrap(key: CryptoKey, scheme: Scheme): VerificationKey {
  return {
    verify: (signature, data) => crypto.subtle.verify(scheme.verifying, key, own(signature), own(data)),
  };
}

async function importKey(
  algorithm: SignatureAlgorithm,
  load: (importing: Importing) => Promise<CryptoKey>,
): Promise<VerificationKey> {
  const scheme = schemes[algorithm];
  let key: CryptoKey;
  try {
    key = await load(scheme.importing);
  } catch (cause) {
    throw unusableKey(algorithm, cause);
  }
  const bits = 'modulusLength' in key.algorithm ? Number(key.algorithm.modulusLength) : undefined;
  if (bits !== undefined && (bits < rsaBits.least || bits > rsaBits.most)) throw unusableKey(algorithm);
  return wrap(key, scheme);
}

const digest =
  (name: string) =>
  async (data: Uint8Array): Promise<Uint8Array> =>
    new Uint8Array(await crypto.subtle.digest(name, own(data)));

/** Cryptography by the page's, worker's or runtime's own WebCrypto. */
export const webCrypto: CryptoProvider = {
  sha1: digest('SHA-1'),
  sha256: digest('SHA-256'),
  sha384: digest('SHA-384'),
  sha512: digest('SHA-512'),
  publicKey: (spki, algorithm) =>
    importKey(algorithm, (importing) =>
      crypto.subtle.importKey('spki', own(spki), importing, false, ['verify']),
    ),
  publicKeyOfJwk: ({ kty, n, e }, algorithm) =>
    importKey(algorithm, (importing) =>
      crypto.subtle.importKey('jwk', { kty, n, e }, importing, false, ['verify']),
    ),
};
