import { isZero } from '@ensconce/base/bytes';
import { EnsconceError } from '@ensconce/base/errors';
import { parseCertificateTable } from '@ensconce/evidence/snp/certificate-table';
import { EvidenceError } from '@ensconce/evidence/errors';
import { parseCertificate, type Certificate } from '@ensconce/x509/certificate';
import { parseRevocationList, type RevocationList } from '@ensconce/x509/crl';
import { pemBlocks, pemEncode } from '@ensconce/x509/pem';
import { X509Error } from '@ensconce/x509/errors';
import { parseIntelBundle, type IntelCollateral } from './intel/collateral.ts';
import { splitSigned, type SignedStatement } from './intel/signed-statement.ts';
import type { AmdCollateral } from './snp/collateral.ts';
import type { RequiredIntelCollateral } from './intel/required.ts';

/** What kinds of things a file of collateral held. */
export type Recognised =
  | 'bundle'
  | 'TCB info'
  | 'enclave identity'
  | 'certificates'
  | 'revocation list'
  | 'certificate table';

const utf8 = new TextDecoder('utf-8', { fatal: false });
const certificateLimit = 256;

interface Part {
  readonly id: string;
  readonly fmspc: string | undefined;
  readonly from: number;
  readonly until: number;
  readonly evaluationDataNumber: number;
  readonly statement: SignedStatement;
}

function readPart(statement: SignedStatement): Part {
  const body = JSON.parse(statement.text) as Record<string, unknown>;
  const string = (key: string): string => (typeof body[key] === 'string' ? body[key] : '');
  return {
    id: string('id') || 'SGX',
    fmspc: typeof body['fmspc'] === 'string' ? body['fmspc'].toLowerCase() : undefined,
    from: Date.parse(string('issueDate')),
    until: Date.parse(string('nextUpdate')),
    evaluationDataNumber: Number(body['tcbEvaluationDataNumber'] ?? 0),
    statement,
  };
}

/**
 * A heap of collateral in any of the forms in which vendors and tools publish it, from which the right parts for one piece of evidence are
 * picked. Nothing in it is trusted or verified here: picking wrongly can only make a verdict worse, never better.
 */
export class CollateralPool {
  readonly #bundles: IntelCollateral[] = [];
  readonly #certificates: Certificate[] = [];
  readonly #lists: RevocationList[] = [];
  readonly #tcbInfos: Part[] = [];
  readonly #identities: Part[] = [];
  #used: IntelCollateral | undefined;

  /** Adds the content of one file; undefined where it is no collateral that is known. */
  add(bytes: Uint8Array): Recognised | undefined {
    try {
      return bytes[0] === 0x30
        ? this.#addDer(bytes)
        : (this.#addText(utf8.decode(bytes), bytes) ?? this.#addTable(bytes));
    } catch (error) {
      if (error instanceof EnsconceError || error instanceof SyntaxError) return undefined;
      throw error;
    }
  }

  addIntel(collateral: IntelCollateral): void {
    this.#bundles.push(collateral);
  }

  #addDer(der: Uint8Array): Recognised {
    try {
      this.#certificates.push(parseCertificate(der));
      return 'certificates';
    } catch (error) {
      if (!(error instanceof X509Error)) throw error;
    }
    this.#lists.push(parseRevocationList(der));
    return 'revocation list';
  }

  #addText(text: string, bytes: Uint8Array): Recognised | undefined {
    if (text.includes('-----BEGIN') && !text.trimStart().startsWith('{')) return this.#addPem(text);
    if (!text.trimStart().startsWith('{')) return undefined;
    if (/^\s*\{\s*"tcbInfo"\s*:/.test(text)) {
      this.#tcbInfos.push(readPart(splitSigned(text, 'tcbInfo')));
      return 'TCB info';
    }
    if (/^\s*\{\s*"enclaveIdentity"\s*:/.test(text)) {
      this.#identities.push(readPart(splitSigned(text, 'enclaveIdentity')));
      return 'enclave identity';
    }
    const bundle = parseIntelBundle(bytes);
    if (Object.values(bundle).every((part) => part === undefined)) return undefined;
    this.#bundles.push(bundle);
    return 'bundle';
  }

  #addPem(text: string): Recognised | undefined {
    const certificates = pemBlocks(text, 'CERTIFICATE', certificateLimit);
    const lists = pemBlocks(text, 'X509 CRL', certificateLimit);
    for (const der of certificates) this.#certificates.push(parseCertificate(der));
    for (const der of lists) this.#lists.push(parseRevocationList(der));
    return certificates.length > 0 ? 'certificates' : lists.length > 0 ? 'revocation list' : undefined;
  }

  #addTable(bytes: Uint8Array): Recognised | undefined {
    try {
      const entries = parseCertificateTable(bytes);
      for (const entry of entries)
        if (!isZero(entry.data)) this.#certificates.push(parseCertificate(entry.data));
      return entries.length > 0 ? 'certificate table' : undefined;
    } catch (error) {
      if (error instanceof EvidenceError) return undefined;
      throw error;
    }
  }

  amd(): AmdCollateral {
    const isAmd = (name: string): boolean => /ARK|SEV/.test(name);
    return {
      certificates: this.#certificates.filter((one) => isAmd(one.subject.commonName)).map((one) => one.der),
      revocationLists: this.#lists.filter((one) => isAmd(one.issuer.commonName)).map((one) => one.der),
    };
  }

  /** The best collateral for a quote at a time: a whole bundle where one fits, else one put together from the parts. */
  intel(
    required: RequiredIntelCollateral | undefined,
    tee: 'sgx' | 'tdx',
    at: Date,
  ): IntelCollateral | undefined {
    this.#used = this.#pick(required, tee, at.getTime());
    return this.#used;
  }

  /** What {@link intel} gave last: what the verdict that followed rests on. */
  get used(): IntelCollateral | undefined {
    return this.#used;
  }

  #pick(
    required: RequiredIntelCollateral | undefined,
    tee: 'sgx' | 'tdx',
    time: number,
  ): IntelCollateral | undefined {
    const rated = this.#bundles.map((bundle) => ({ bundle, rank: rankBundle(bundle, required, tee, time) }));
    rated.sort((a, b) => b.rank - a.rank);
    const best = rated[0];
    if (best !== undefined && (best.rank >= 4 || this.#tcbInfos.length === 0)) return best.bundle;
    return this.#assemble(required, tee, time) ?? best?.bundle;
  }

  #assemble(
    required: RequiredIntelCollateral | undefined,
    tee: 'sgx' | 'tdx',
    time: number,
  ): IntelCollateral | undefined {
    const tcbInfo = newest(
      this.#tcbInfos.filter(
        (part) => part.id === tee.toUpperCase() && (required === undefined || part.fmspc === required.fmspc),
      ),
      time,
    );
    const qeIdentity = newest(
      this.#identities.filter((part) => part.id === (tee === 'tdx' ? 'TD_QE' : 'QE')),
      time,
    );
    const leaf = this.#certificates.find((one) => /SGX PCK Certificate/.test(one.subject.commonName));
    const kind =
      required?.ca ?? (leaf?.issuer.commonName.includes('Processor') === true ? 'processor' : 'platform');
    const ca = kind === 'processor' ? /PCK Processor CA/ : /PCK Platform CA/;
    const issuer = pick(
      this.#certificates.filter((one) => ca.test(one.subject.commonName)),
      time,
    );
    const signing = pick(
      this.#certificates.filter((one) => /TCB Signing/.test(one.subject.commonName)),
      time,
    );
    const root = pick(
      this.#certificates.filter((one) => /SGX Root CA/.test(one.subject.commonName)),
      time,
    );
    const signingChain = chain(signing, root);
    if (tcbInfo === undefined && qeIdentity === undefined && issuer === undefined) return undefined;
    return {
      pckCrlIssuerChain: chain(issuer, root),
      rootCaCrl: pickList(
        this.#lists.filter((one) => /SGX Root CA/.test(one.issuer.commonName)),
        time,
      )?.der,
      pckCrl: pickList(
        this.#lists.filter((one) => ca.test(one.issuer.commonName)),
        time,
      )?.der,
      tcbInfoIssuerChain: signingChain,
      tcbInfo: tcbInfo?.statement.text,
      tcbInfoSignature: tcbInfo?.statement.signature,
      qeIdentityIssuerChain: signingChain,
      qeIdentity: qeIdentity?.statement.text,
      qeIdentitySignature: qeIdentity?.statement.signature,
      pckCertificateChain: leaf === undefined ? undefined : `${pem(leaf)}${chain(issuer, root) ?? ''}`,
    };
  }
}

const pem = (certificate: Certificate): string => pemEncode(certificate.der, 'CERTIFICATE');

function chain(signer: Certificate | undefined, root: Certificate | undefined): string | undefined {
  return signer === undefined || root === undefined ? undefined : `${pem(signer)}${pem(root)}`;
}

function pick(certificates: readonly Certificate[], time: number): Certificate | undefined {
  return certificates.find((one) => one.notBefore <= time && time <= one.notAfter) ?? certificates[0];
}

function pickList(lists: readonly RevocationList[], time: number): RevocationList | undefined {
  const current = lists.filter((one) => one.thisUpdate <= time && time <= (one.nextUpdate ?? time));
  return (current.length > 0 ? current : [...lists]).sort((a, b) => b.thisUpdate - a.thisUpdate)[0];
}

/** The part with the highest evaluation number that is valid at the time, else the latest issued. */
function newest(parts: readonly Part[], time: number): Part | undefined {
  const current = parts.filter((part) => part.from <= time && time <= part.until);
  return (current.length > 0 ? current : [...parts]).sort(
    (a, b) => b.evaluationDataNumber - a.evaluationDataNumber || b.from - a.from,
  )[0];
}

/** How well a bundle fits: TEE, kind of platform, and time, in that order. */
function rankBundle(
  bundle: IntelCollateral,
  required: RequiredIntelCollateral | undefined,
  tee: 'sgx' | 'tdx',
  time: number,
): number {
  if (bundle.tcbInfo === undefined) return 0;
  try {
    const part = readPart({ text: bundle.tcbInfo, signature: new Uint8Array() });
    const ofTee = part.id === tee.toUpperCase() ? 4 : 0;
    const ofPlatform = required === undefined || part.fmspc === required.fmspc ? 2 : 0;
    return ofTee + ofPlatform + (part.from <= time && time <= part.until ? 1 : 0);
  } catch (error) {
    if (error instanceof SyntaxError) return 0;
    throw error;
  }
}
