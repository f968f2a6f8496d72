import { DerReader, tags, type DerElement } from './der.ts';
import { keyKind, type KeyKind } from './algorithm.ts';
import { oids } from './oid.ts';
import { readExtensions, type Extensions } from './extension.ts';
import { readName, type Name } from './name.ts';
import { X509Error } from './errors.ts';

/** A parsed certification request (PKCS #10, RFC 2986). Its signature has not been judged. */
export interface CertificateRequest {
  /** CertificationRequestInfo: what the signature covers. */
  readonly signed: Uint8Array;
  readonly signatureAlgorithm: DerElement;
  readonly signature: Uint8Array;
  readonly subject: Name;
  readonly spki: Uint8Array;
  readonly keyKind: KeyKind;
  /** Those that the certificate shall have; none where none are asked for. */
  readonly extensions: Extensions;
}

const what = 'certificate request';

function requestedExtensions(attributes: DerElement | undefined): Extensions {
  let extensions: Extensions = new Map();
  if (attributes === undefined) return extensions;
  const reader = new DerReader(attributes.content, what);
  while (!reader.done) {
    const attribute = reader.sequence('attribute');
    const type = attribute.oid();
    const values = attribute.set('values');
    attribute.end();
    if (type !== oids.extensionRequest) continue;
    extensions = readExtensions(values.sequence('extensions'), what);
    values.end();
  }
  return extensions;
}

/** Parses one certification request from attacker-controlled DER of at most `limit` bytes; throws `X509Error`. */
export function parseCertificateRequest(der: Uint8Array, limit: number): CertificateRequest {
  if (der.length > limit)
    throw new X509Error('X509_SIZE', `${what}: at most ${limit} bytes expected, ${der.length} found`);
  const outer = new DerReader(der, what);
  const whole = outer.sequence(what);
  outer.end();
  const info = whole.next(tags.sequence, 'CertificationRequestInfo');
  const signatureAlgorithm = whole.next(tags.sequence, 'signatureAlgorithm');
  const signature = whole.bitString('signature');
  whole.end();
  const body = new DerReader(info.content, what);
  if (body.smallInteger('version') !== 0)
    throw new X509Error('X509_STRUCTURE', `${what}: version 1 expected, another found`);
  const subject = readName(body, 'subject');
  const spki = body.next(tags.sequence, 'subjectPublicKeyInfo').whole;
  const attributes = body.optional(0xa0);
  body.end();
  return {
    signed: info.whole,
    signatureAlgorithm,
    signature,
    subject,
    spki,
    keyKind: keyKind(spki),
    extensions: requestedExtensions(attributes),
  };
}
