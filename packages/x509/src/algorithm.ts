import { equalBytes } from '@ensconce/base/bytes';
import { DerReader, tags, type DerElement } from './der.ts';
import { X509Error } from './errors.ts';
import { oids } from './oid.ts';
import type { SignatureAlgorithm } from './crypto.ts';

export type KeyKind = 'P-256' | 'P-384' | 'RSA' | 'other';

/** Which kind of key a SubjectPublicKeyInfo holds. */
export function keyKind(spki: Uint8Array): KeyKind {
  const outer = new DerReader(spki, 'public key');
  const info = outer.sequence();
  outer.end();
  const algorithm = info.sequence('algorithm');
  info.bitString('key');
  info.end();
  const oid = algorithm.oid();
  if (oid === oids.rsaEncryption || oid === oids.rsaPss) return 'RSA';
  if (oid !== oids.ecPublicKey || algorithm.peek() !== tags.oid) return 'other';
  const curve = algorithm.oid();
  return curve === oids.p256 ? 'P-256' : curve === oids.p384 ? 'P-384' : 'other';
}

/** Signature algorithm by its object identifier and the kind of the signer's key. */
const plain: Readonly<Record<string, Readonly<Partial<Record<KeyKind, SignatureAlgorithm>>>>> = {
  '1.2.840.10045.4.3.2': { 'P-256': 'ecdsa-p256-sha256', 'P-384': 'ecdsa-p384-sha256' },
  '1.2.840.10045.4.3.3': { 'P-256': 'ecdsa-p256-sha384', 'P-384': 'ecdsa-p384-sha384' },
  '1.2.840.113549.1.1.11': { RSA: 'rsa-pkcs1-sha256' },
  '1.2.840.113549.1.1.12': { RSA: 'rsa-pkcs1-sha384' },
  '1.2.840.113549.1.1.13': { RSA: 'rsa-pkcs1-sha512' },
};

/** RSASSA-PSS-params (RFC 4055 §3.1) as AMD writes them: SHA-384, MGF1 with SHA-384, salt of 48 bytes, trailer 1. */
function isPssSha384(parameters: DerReader): boolean {
  const body = parameters.sequence('RSASSA-PSS-params');
  let hash = '';
  let mask = '';
  let salt = 20;
  while (!body.done) {
    const field = body.next();
    const inner = new DerReader(field.content, 'RSASSA-PSS-params');
    if (field.tag === 0xa0) hash = inner.sequence().oid();
    else if (field.tag === 0xa1) {
      const generator = inner.sequence();
      if (generator.oid() !== oids.mgf1) return false;
      mask = generator.sequence().oid();
    } else if (field.tag === 0xa2) salt = inner.smallInteger();
    else if (field.tag !== 0xa3 || inner.smallInteger() !== 1) return false;
  }
  return hash === oids.sha384 && mask === oids.sha384 && salt === 48;
}

/** The algorithm that an AlgorithmIdentifier names, for a signer whose key is `signer`. */
export function signatureAlgorithm(identifier: DerElement, signer: KeyKind): SignatureAlgorithm {
  const reader = new DerReader(identifier.content, 'signature algorithm');
  const oid = reader.oid();
  if (oid === oids.rsaPss && signer === 'RSA' && isPssSha384(reader)) return 'rsa-pss-sha384';
  const algorithm = Object.hasOwn(plain, oid) ? plain[oid]?.[signer] : undefined;
  if (algorithm === undefined)
    throw new X509Error(
      'X509_ALGORITHM',
      `signature: an algorithm for a ${signer} key expected, ${oid} found`,
    );
  return algorithm;
}

/** RFC 5280 §4.1.1.2: the algorithm inside and outside what is signed must be the same. */
export function checkSameAlgorithm(inside: DerElement, outside: DerElement, what: string): void {
  if (!equalBytes(inside.whole, outside.whole))
    throw new X509Error('X509_STRUCTURE', `${what}: the same signature algorithm twice expected, two found`);
}
