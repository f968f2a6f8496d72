import { createPrivateKey, createPublicKey, type KeyObject, webcrypto, X509Certificate } from 'node:crypto';

/** A TLS identity: a P-256 key and a self-signed certificate over it. Peers know it by its key, not by the certificate. */
export interface SelfSigned {
  readonly privateKey: KeyObject;
  /** PEM. */
  readonly certificate: string;
}

/** RFC 5280 §4.1.2.5: the date for a certificate without a meaningful end. What is pinned is the key. */
const noEnd = new Date('9999-12-31T23:59:59Z');

/** Makes a new key and certificate. `now` begins the validity, an hour early for clocks that go slow. */
export async function selfSigned(commonName: string, now: Date): Promise<SelfSigned> {
  const keys = await webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, [
    'sign',
    'verify',
  ]);
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  const privateKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
  return selfSignedFor(privateKey, commonName, now);
}

/** A certificate for a key that is there: P-256, P-384 or Ed25519. */
export async function selfSignedFor(
  privateKey: KeyObject,
  commonName: string,
  now: Date,
): Promise<SelfSigned> {
  // Loaded only here: it costs 100 ms, and an identity is made once.
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  const { importing, signing } = algorithmsOf(privateKey);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [commonName] }],
    keys: {
      privateKey: privateKey.toCryptoKey(importing, true, ['sign']),
      publicKey: createPublicKey(privateKey).toCryptoKey(importing, true, ['verify']),
    },
    signingAlgorithm: signing,
    notBefore: new Date(now.getTime() - 3_600_000),
    notAfter: noEnd,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([
        x509.ExtendedKeyUsage.serverAuth,
        x509.ExtendedKeyUsage.clientAuth,
      ]),
    ],
  });
  return { privateKey, certificate: certificate.toString('pem') };
}

const algorithms = {
  prime256v1: {
    importing: { name: 'ECDSA', namedCurve: 'P-256' },
    signing: { name: 'ECDSA', hash: 'SHA-256' },
  },
  secp384r1: {
    importing: { name: 'ECDSA', namedCurve: 'P-384' },
    signing: { name: 'ECDSA', hash: 'SHA-384' },
  },
  ed25519: { importing: { name: 'Ed25519' }, signing: { name: 'Ed25519' } },
} as const;

function algorithmsOf(key: KeyObject): (typeof algorithms)[keyof typeof algorithms] {
  const name = key.asymmetricKeyDetails?.namedCurve ?? key.asymmetricKeyType;
  if (name === 'prime256v1' || name === 'secp384r1' || name === 'ed25519') return algorithms[name];
  throw new TypeError(`a P-256, P-384 or Ed25519 key takes a certificate, ${name ?? 'another'} found`);
}

/** SubjectPublicKeyInfo (DER) of a certificate, as `node:crypto` writes it. */
export function publicKeyOf(certificate: X509Certificate | string): Uint8Array {
  const parsed = typeof certificate === 'string' ? new X509Certificate(certificate) : certificate;
  return parsed.publicKey.export({ type: 'spki', format: 'der' });
}
