import { X509Error } from './errors.ts';
import { tags, type DerReader } from './der.ts';

export interface Extension {
  readonly critical: boolean;
  /** Content of the OCTET STRING; usually DER, but not always (AMD's HWID). */
  readonly value: Uint8Array;
}

export type Extensions = ReadonlyMap<string, Extension>;

/** Extensions of a certificate, a revocation list or an entry of one (RFC 5280 §4.2). Each may stand once. */
export function readExtensions(reader: DerReader, what: string): Extensions {
  const extensions = new Map<string, Extension>();
  while (!reader.done) {
    const entry = reader.sequence('extension');
    const oid = entry.oid();
    const critical = entry.peek() === tags.boolean ? entry.boolean() : false;
    const value = entry.octetString();
    entry.end();
    if (extensions.has(oid))
      throw new X509Error('X509_STRUCTURE', `${what}: extension ${oid} once expected, twice found`);
    extensions.set(oid, { critical, value });
  }
  return extensions;
}

/** RFC 5280 §4.2: a critical extension that the reader does not know makes the whole unusable. */
export function refuseUnknownCritical(
  extensions: Extensions,
  known: ReadonlySet<string>,
  what: string,
): void {
  for (const [oid, extension] of extensions) {
    if (extension.critical && !known.has(oid))
      throw new X509Error('X509_STRUCTURE', `${what}: known critical extensions expected, ${oid} found`);
  }
}
