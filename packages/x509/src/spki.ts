import { DerReader, tags } from './der.ts';

/**
 * The SubjectPublicKeyInfo (DER) of a certificate, as it stands there. Reads nothing else of it: for who knows already that the
 * peer holds the key, and needs its name. Throws `X509Error`.
 */
export function subjectPublicKeyInfo(certificate: Uint8Array): Uint8Array {
  const outer = new DerReader(certificate, 'certificate');
  const body = outer.sequence().sequence('TBSCertificate');
  outer.end();
  body.optional(0xa0);
  body.skip(tags.integer, 'serial number');
  for (const name of ['signature', 'issuer', 'validity', 'subject']) body.skip(tags.sequence, name);
  return body.next(tags.sequence, 'subjectPublicKeyInfo').whole;
}

/** The key alone of a SubjectPublicKeyInfo: an elliptic curve's point, or an RSA key as RFC 8017 writes it. Throws `X509Error`. */
export function publicKeyBits(spki: Uint8Array): Uint8Array {
  const outer = new DerReader(spki, 'public key');
  const info = outer.sequence();
  outer.end();
  info.next(tags.sequence, 'algorithm');
  return info.bitString('key');
}
