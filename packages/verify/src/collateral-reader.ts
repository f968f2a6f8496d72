import { isZero } from '@ensconce/base/bytes';
import { EnsconceError } from '@ensconce/base/errors';
import { parseCertificateTable } from '@ensconce/evidence/snp/certificate-table';
import { parseCertificate, type Certificate } from '@ensconce/x509/certificate';
import { parseRevocationList, type RevocationList } from '@ensconce/x509/crl';
import { pemBlocks } from '@ensconce/x509/pem';
import { readIntelBundle, type IntelCollateral } from './intel/collateral.ts';
import { findSigned, joinSigned, type NamedStatement } from './intel/signed-statement.ts';

/** What a file of collateral held, in the order of the file. Nothing of it is trusted or verified. */
export interface FoundCollateral {
  readonly bundles: IntelCollateral[];
  readonly statements: NamedStatement[];
  readonly certificates: Certificate[];
  readonly lists: RevocationList[];
}

const latin1 = new TextDecoder('latin1');
const blockLimit = 256;
/** Characters of a text that is looked through. */
const scanLimit = 4 * 1024 * 1024;
/** Levels of objects, and of texts within texts. */
const depthLimit = 6;
/** Strings and objects looked at in one file. */
const valueLimit = 10_000;

const pemMark = '-----BEGIN';
const hexText = /^(?:0x)?((?:[0-9a-fA-F]{2})+)$/;
const base64Text = /^[A-Za-z0-9+/_-]+={0,2}$/;

/** What `read` gives, or undefined where it refuses the bytes: a file of collateral may hold other things. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof EnsconceError || error instanceof SyntaxError || error instanceof URIError)
      return undefined;
    throw error;
  }
}

/** The bytes that a text in hexadecimal or base64 stands for; undefined for other texts. */
function decoded(text: string): Uint8Array | undefined {
  // Without its spaces a PEM block may consist of nothing but the letters of base64url.
  if (text.includes(pemMark)) return undefined;
  const compact = text.replaceAll(/[\s\0]+/g, '');
  const hex = hexText.exec(compact)?.[1];
  if (hex !== undefined) return Uint8Array.fromHex(hex);
  if (!base64Text.test(compact)) return undefined;
  return attempt(() => Uint8Array.fromBase64(compact.replaceAll('-', '+').replaceAll('_', '/')));
}

class CollateralReader {
  readonly found: FoundCollateral = { bundles: [], statements: [], certificates: [], lists: [] };
  #values = 0;

  #certificate(der: Uint8Array): boolean {
    const certificate = attempt(() => parseCertificate(der));
    if (certificate !== undefined) this.found.certificates.push(certificate);
    return certificate !== undefined;
  }

  #list(der: Uint8Array): boolean {
    const list = attempt(() => parseRevocationList(der));
    if (list !== undefined) this.found.lists.push(list);
    return list !== undefined;
  }

  #der(der: Uint8Array): void {
    if (!this.#certificate(der)) this.#list(der);
  }

  #table(bytes: Uint8Array): void {
    const entries = attempt(() => parseCertificateTable(bytes)) ?? [];
    for (const entry of entries) if (!isZero(entry.data)) this.#der(entry.data);
  }

  /** PEM blocks and signed statements anywhere in a text or a binary container: their marks are unmistakable. */
  #scan(text: string): void {
    if (text.length > scanLimit) return;
    for (const der of attempt(() => pemBlocks(text, 'CERTIFICATE', blockLimit)) ?? []) this.#certificate(der);
    for (const der of attempt(() => pemBlocks(text, 'X509 CRL', blockLimit)) ?? []) this.#list(der);
    this.found.statements.push(...findSigned(text));
    // Containers of C programs hold lists as hexadecimal text that ends with a NUL.
    for (const [hex] of text.matchAll(/3082(?:[0-9a-fA-F]{2}){64,}/g)) this.#der(Uint8Array.fromHex(hex));
  }

  #object(value: object, depth: number): void {
    const bundle = attempt(() => readIntelBundle(value));
    if (bundle !== undefined) {
      this.found.bundles.push(bundle);
      return;
    }
    const statement = joinSigned(value);
    if (statement === undefined) for (const member of Object.values(value)) this.#value(member, depth - 1);
    else this.found.statements.push(statement);
  }

  #value(value: unknown, depth: number): void {
    if (depth === 0 || ++this.#values > valueLimit) return;
    if (typeof value === 'string') this.text(value, depth);
    else if (Array.isArray(value)) for (const item of value as unknown[]) this.#value(item, depth - 1);
    else if (typeof value === 'object' && value !== null) this.#object(value, depth);
  }

  text(text: string, depth: number): void {
    if (depth === 0) return;
    if (/^\s*[{[]/.test(text)) {
      const before = this.found.statements.length;
      // As served, character by character, before any parsing: this is what is signed.
      this.found.statements.push(...findSigned(text, true));
      if (this.found.statements.length > before) return;
      const value = attempt(() => JSON.parse(text) as unknown);
      if (value !== undefined) {
        this.#value(value, depth);
        return;
      }
    }
    const bytes = decoded(text);
    if (bytes !== undefined) this.bytes(bytes, depth - 1);
    // Headers of vendors' responses carry their chains percent-encoded.
    else if (text.includes('-----BEGIN%20'))
      this.#scan(attempt(() => decodeURIComponent(text.replaceAll('+', '%2B'))) ?? '');
    else this.#scan(text);
  }

  bytes(bytes: Uint8Array, depth = depthLimit): void {
    if (depth === 0) return;
    if (bytes[0] === 0x30) this.#der(bytes);
    if (this.isEmpty) this.text(latin1.decode(bytes), depth);
    if (this.isEmpty) this.#table(bytes);
  }

  get isEmpty(): boolean {
    return Object.values(this.found).every((list: unknown[]) => list.length === 0);
  }
}

/** Reads one attacker-controlled file in any form in which vendors and tools hand collateral around; what it does not know it leaves out. */
export function readCollateralFile(bytes: Uint8Array): FoundCollateral {
  const reader = new CollateralReader();
  reader.bytes(bytes);
  return reader.found;
}
