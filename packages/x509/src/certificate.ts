import { checkSameAlgorithm, keyKind, type KeyKind } from './algorithm.ts';
import { DerReader, integerHex, tags, type DerElement } from './der.ts';
import { X509Error } from './errors.ts';
import { readExtensions, refuseUnknownCritical, type Extensions } from './extension.ts';
import { readName, type Name } from './name.ts';
import { oids } from './oid.ts';
import { pemBlocks } from './pem.ts';
import { readTime } from './time.ts';

/** A parsed X.509 certificate (RFC 5280 §4). Parsing checks its form only: no signature, date or name has been judged. */
export interface Certificate {
  readonly der: Uint8Array;
  /** TBSCertificate: what the signature covers. */
  readonly signed: Uint8Array;
  readonly signatureAlgorithm: DerElement;
  readonly signature: Uint8Array;
  /** Hexadecimal. */
  readonly serial: string;
  readonly issuer: Name;
  readonly subject: Name;
  /** Milliseconds since 1970, both inclusive. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly spki: Uint8Array;
  readonly keyKind: KeyKind;
  readonly extensions: Extensions;
  readonly isAuthority: boolean;
  /** How many intermediates may follow; undefined without a limit. */
  readonly pathLength: number | undefined;
  /** The bits of keyUsage (bit 0 is digitalSignature); undefined where the extension is absent. */
  readonly keyUsage: number | undefined;
}

/** Bytes. Vendors' certificates are below 2 KiB, Azure's vTPM certificates below 4 KiB. */
export const certificateLimit = 16_384;

const understood: ReadonlySet<string> = new Set([
  oids.basicConstraints,
  oids.keyUsage,
  oids.extendedKeyUsage,
  oids.subjectAlternativeName,
  oids.certificatePolicies,
]);

function basicConstraints(extensions: Extensions): { isAuthority: boolean; pathLength: number | undefined } {
  const extension = extensions.get(oids.basicConstraints);
  if (extension === undefined) return { isAuthority: false, pathLength: undefined };
  const outer = new DerReader(extension.value, 'basic constraints');
  const body = outer.sequence();
  outer.end();
  const isAuthority = body.peek() === tags.boolean ? body.boolean() : false;
  const pathLength = body.peek() === tags.integer ? body.smallInteger() : undefined;
  body.end();
  return { isAuthority, pathLength };
}

function keyUsage(extensions: Extensions): number | undefined {
  const extension = extensions.get(oids.keyUsage);
  if (extension === undefined) return undefined;
  const reader = new DerReader(extension.value, 'key usage');
  const { content } = reader.next(tags.bitString);
  reader.end();
  let bits = 0;
  for (let i = 0; i < 9; i++) if (((content[1 + (i >> 3)] ?? 0) >> (7 - (i & 7))) & 1) bits |= 1 << i;
  return bits;
}

/** Parses one certificate from attacker-controlled DER of at most `limit` bytes; throws `X509Error`. */
export function parseCertificate(der: Uint8Array, limit = certificateLimit): Certificate {
  const what = 'certificate';
  if (der.length > limit)
    throw new X509Error('X509_SIZE', `${what}: at most ${limit} bytes expected, ${der.length} found`);
  const outer = new DerReader(der, what);
  const whole = outer.sequence(what);
  outer.end();
  const tbs = whole.next(tags.sequence, 'TBSCertificate');
  const outside = whole.next(tags.sequence, 'signatureAlgorithm');
  const signature = whole.bitString('signature');
  whole.end();

  const body = new DerReader(tbs.content, what);
  const version = body.optional(0xa0);
  if (version !== undefined && new DerReader(version.content, what).smallInteger('version') !== 2)
    throw new X509Error('X509_STRUCTURE', `${what}: version 3 expected, another found`);
  const serial = integerHex(body.next(tags.integer, 'serial number').content, what);
  const inside = body.next(tags.sequence, 'signature');
  checkSameAlgorithm(inside, outside, what);
  const issuer = readName(body, 'issuer');
  const validity = body.sequence('validity');
  const notBefore = readTime(validity, 'notBefore');
  const notAfter = readTime(validity, 'notAfter');
  validity.end();
  const subject = readName(body, 'subject');
  const spki = body.next(tags.sequence, 'subjectPublicKeyInfo').whole;
  body.optional(0x81);
  body.optional(0x82);
  const wrapped = body.optional(0xa3);
  body.end();
  let extensions: Extensions = new Map();
  if (wrapped !== undefined) {
    if (version === undefined)
      throw new X509Error('X509_STRUCTURE', `${what}: version 3 expected with extensions, version 1 found`);
    const reader = new DerReader(wrapped.content, what);
    extensions = readExtensions(reader.sequence('extensions'), what);
    reader.end();
  }
  refuseUnknownCritical(extensions, understood, what);
  return {
    der,
    signed: tbs.whole,
    signatureAlgorithm: outside,
    signature,
    serial,
    issuer,
    subject,
    notBefore,
    notAfter,
    spki,
    keyKind: keyKind(spki),
    extensions,
    ...basicConstraints(extensions),
    keyUsage: keyUsage(extensions),
  };
}

/** Parses the certificates of a PEM text, in the order of the text; at most `limit`. */
export function parsePemCertificates(text: string, limit = 8): Certificate[] {
  return pemBlocks(text, 'CERTIFICATE', limit).map((der) => parseCertificate(der));
}
