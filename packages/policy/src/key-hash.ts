import { createHash, createPublicKey, X509Certificate, type KeyObject } from 'node:crypto';
import { PolicyError } from './errors.ts';
import type { Creator } from './session.ts';

/** What may be written as a key hash; hashes of other systems have other lengths and match no key here. */
export const writtenKeyHashPattern = /^[1-9A-HJ-NP-Za-km-z]{32,100}$/;

/**
 * A key hash names a public key wherever the language does: base58 (Bitcoin's alphabet) of SHA-256 over the DER
 * SubjectPublicKeyInfo (docs/formats/key-hash.md). 32 to 44 characters.
 */
export const keyHashPattern = /^[1-9A-HJ-NP-Za-km-z]{32,44}$/;

const alphabet = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';

function base58(bytes: Uint8Array): string {
  let number = bytes.length === 0 ? 0n : BigInt(`0x${bytes.toHex()}`);
  let digits = '';
  for (; number > 0n; number /= 58n) digits = alphabet.charAt(Number(number % 58n)) + digits;
  const leading = bytes.findIndex((byte) => byte !== 0);
  return '1'.repeat(leading < 0 ? bytes.length : leading) + digits;
}

/** @param spki DER SubjectPublicKeyInfo. */
export function keyHash(spki: Uint8Array): string {
  return keyHashOfDigest(createHash('sha256').update(spki).digest());
}

/** @param digest SHA-256 of the DER SubjectPublicKeyInfo: the form in which a CAS's identity is written. */
export function keyHashOfDigest(digest: Uint8Array): string {
  return base58(digest);
}

function hashOf(key: KeyObject): string {
  return keyHash(key.export({ format: 'der', type: 'spki' }));
}

/** Reads exactly one certificate, PEM or DER. Throws `POLICY_KEY`. */
export function readCertificate(certificate: string | Uint8Array): X509Certificate {
  try {
    if (typeof certificate === 'string') single(certificate, 'CERTIFICATE');
    return new X509Certificate(certificate);
  } catch (cause) {
    throw new PolicyError('POLICY_KEY', 'one X.509 certificate expected, something else found', { cause });
  }
}

/** Reads exactly one public key as PEM SubjectPublicKeyInfo. Throws `POLICY_KEY`. */
export function readPublicKey(pem: string): KeyObject {
  try {
    single(pem, 'PUBLIC KEY');
    return createPublicKey({ key: pem, format: 'pem', type: 'spki' });
  } catch (cause) {
    throw new PolicyError('POLICY_KEY', 'one PEM public key (SPKI) expected, something else found', {
      cause,
    });
  }
}

/** Node reads the first block and ignores the rest; a policy must not depend on which one a reader sees. */
function single(pem: string, label: string): void {
  if (pem.length > 16_384) throw new RangeError('longer than 16384 characters');
  const form = new RegExp(
    `^\\s*-----BEGIN ${label}-----[ \\t\\r]*\\n[A-Za-z0-9+/=\\s]+-----END ${label}-----\\s*$`,
  );
  if (!form.test(pem)) throw new TypeError(`one PEM block of type ${label} expected`);
}

/** One form for the same certificate or key: canonical PEM, however it was wrapped. */
export function canonicalPem(label: string, der: Uint8Array): string {
  const lines = der.toBase64().match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

export function keyHashOfCertificate(certificate: string | Uint8Array): string {
  return hashOf(readCertificate(certificate).publicKey);
}

export function keyHashOfPublicKey(pem: string): string {
  return hashOf(readPublicKey(pem));
}

export function creatorFromCertificate(certificate: string | Uint8Array): Creator {
  const read = readCertificate(certificate);
  return { kind: 'certificate', pem: canonicalPem('CERTIFICATE', read.raw), keyHash: hashOf(read.publicKey) };
}

export function creatorFromSigner(pem: string): Creator {
  const key = readPublicKey(pem);
  const der = key.export({ format: 'der', type: 'spki' });
  return { kind: 'signer', pem: canonicalPem('PUBLIC KEY', der), keyHash: keyHash(der) };
}
