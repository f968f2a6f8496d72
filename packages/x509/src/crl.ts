import { checkSameAlgorithm } from './algorithm.ts';
import { DerReader, integerHex, tags, type DerElement } from './der.ts';
import { X509Error } from './errors.ts';
import { readExtensions, refuseUnknownCritical, type Extensions } from './extension.ts';
import { readName, type Name } from './name.ts';
import { oids } from './oid.ts';
import { isTimeTag, readTime } from './time.ts';

/** A parsed certificate revocation list (RFC 5280 §5). Parsing checks its form only. */
export interface RevocationList {
  readonly der: Uint8Array;
  readonly signed: Uint8Array;
  readonly signatureAlgorithm: DerElement;
  readonly signature: Uint8Array;
  readonly issuer: Name;
  /** Milliseconds since 1970. */
  readonly thisUpdate: number;
  /** Milliseconds since 1970; undefined where the list does not say when the next is due. */
  readonly nextUpdate: number | undefined;
  /** Serial numbers in hexadecimal. */
  readonly revoked: ReadonlySet<string>;
  /** CRLNumber; undefined in version 1 lists. */
  readonly number: bigint | undefined;
}

/** Bytes. Intel's longest list has 5 KiB; the limit leaves room for a bad year. */
export const crlLimit = 4 * 1024 * 1024;

const understoodInList: ReadonlySet<string> = new Set([oids.cRLNumber, oids.authorityKeyIdentifier]);
/** Reason code, invalidity date: they change nothing about the entry being revoked. */
const understoodInEntry: ReadonlySet<string> = new Set(['2.5.29.21', '2.5.29.24']);

function readRevoked(list: DerReader): Set<string> {
  const revoked = new Set<string>();
  while (!list.done) {
    const entry = list.sequence('revoked certificate');
    revoked.add(integerHex(entry.next(tags.integer, 'serial number').content, 'revocation list'));
    readTime(entry, 'revocationDate');
    if (!entry.done) {
      refuseUnknownCritical(
        readExtensions(entry.sequence(), 'entry'),
        understoodInEntry,
        'revocation list entry',
      );
    }
    entry.end();
  }
  return revoked;
}

function crlNumber(extensions: Extensions): bigint | undefined {
  const extension = extensions.get(oids.cRLNumber);
  if (extension === undefined) return undefined;
  if (extension.value.length > 24)
    throw new X509Error('X509_STRUCTURE', 'CRL number: at most 20 bytes expected');
  const reader = new DerReader(extension.value, 'CRL number');
  const hex = integerHex(reader.next(tags.integer).content, 'CRL number');
  reader.end();
  return BigInt(`0x${hex}`);
}

/** Parses a revocation list from attacker-controlled DER; throws `X509Error`. Time and memory are linear in its size. */
export function parseRevocationList(der: Uint8Array): RevocationList {
  const what = 'revocation list';
  if (der.length > crlLimit)
    throw new X509Error('X509_SIZE', `${what}: at most ${crlLimit} bytes expected, ${der.length} found`);
  const outer = new DerReader(der, what);
  const whole = outer.sequence(what);
  outer.end();
  const tbs = whole.next(tags.sequence, 'TBSCertList');
  const outside = whole.next(tags.sequence, 'signatureAlgorithm');
  const signature = whole.bitString('signature');
  whole.end();

  const body = new DerReader(tbs.content, what);
  const version = body.peek() === tags.integer ? body.smallInteger('version') : 0;
  if (version > 1)
    throw new X509Error('X509_STRUCTURE', `${what}: version 1 or 2 expected, ${version + 1} found`);
  checkSameAlgorithm(body.next(tags.sequence, 'signature'), outside, what);
  const issuer = readName(body, 'issuer');
  const thisUpdate = readTime(body, 'thisUpdate');
  const nextUpdate = isTimeTag(body.peek()) ? readTime(body, 'nextUpdate') : undefined;
  const revoked =
    body.peek() === tags.sequence ? readRevoked(body.sequence('revokedCertificates')) : new Set<string>();
  const wrapped = body.optional(0xa0);
  body.end();
  let extensions: Extensions = new Map();
  if (wrapped !== undefined) {
    const reader = new DerReader(wrapped.content, what);
    extensions = readExtensions(reader.sequence('crlExtensions'), what);
    reader.end();
  }
  refuseUnknownCritical(extensions, understoodInList, what);
  return {
    der,
    signed: tbs.whole,
    signatureAlgorithm: outside,
    signature,
    issuer,
    thisUpdate,
    nextUpdate,
    revoked,
    number: crlNumber(extensions),
  };
}
