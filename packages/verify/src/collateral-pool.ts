import { toHex } from '@ensconce/base/bytes';
import { pemEncode } from '@ensconce/x509/pem';
import { parseRevocationList, type RevocationList } from '@ensconce/x509/crl';
import { X509Error } from '@ensconce/x509/errors';
import type { Certificate } from '@ensconce/x509/certificate';
import { readCollateralFile, type FoundCollateral } from './collateral-reader.ts';
import type { IntelCollateral } from './intel/collateral.ts';
import type { SignedStatement } from './intel/signed-statement.ts';
import type { AmdCollateral } from './snp/collateral.ts';
import type { RequiredIntelCollateral } from './intel/required.ts';

/** PCK certificates of one platform, one for each TCB that it had. */
const leafLimit = 32;
const authorityLimit = 16;

interface Part {
  readonly id: string;
  readonly fmspc: string | undefined;
  readonly from: number;
  readonly until: number;
  readonly evaluationDataNumber: number;
  readonly statement: SignedStatement;
}

/** Undefined where the text is no JSON object: it is picked by nothing then. */
function readPart(statement: SignedStatement): Part | undefined {
  let body: unknown;
  try {
    body = JSON.parse(statement.text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (typeof body !== 'object' || body === null) return undefined;
  const members = body as Record<string, unknown>;
  const string = (key: string): string => (typeof members[key] === 'string' ? members[key] : '');
  return {
    id: string('id') || 'SGX',
    fmspc: typeof members['fmspc'] === 'string' ? members['fmspc'].toLowerCase() : undefined,
    from: Date.parse(string('issueDate')),
    until: Date.parse(string('nextUpdate')),
    evaluationDataNumber: Number(members['tcbEvaluationDataNumber'] ?? 0),
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

  /** Adds the content of one file; false where it is no collateral that is known. */
  add(bytes: Uint8Array): boolean {
    const found = readCollateralFile(bytes);
    this.#bundles.push(...found.bundles);
    this.#certificates.push(...found.certificates);
    this.#lists.push(...found.lists);
    for (const statement of found.statements) {
      const part = readPart(statement);
      if (part !== undefined) this.#partsOf(statement.name).push(part);
    }
    return Object.values(found).some((list: unknown[]) => list.length > 0);
  }

  #partsOf(name: FoundCollateral['statements'][number]['name']): Part[] {
    return name === 'tcbInfo' ? this.#tcbInfos : this.#identities;
  }

  addIntel(collateral: IntelCollateral): void {
    this.#bundles.push(collateral);
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
    const rated = this.#bundles.map((bundle) => rate(bundle, required, tee, time));
    rated.sort(
      (a, b) => b.rank - a.rank || b.evaluationDataNumber - a.evaluationDataNumber || b.from - a.from,
    );
    const [best] = rated;
    const assembled = withoutAbsent(this.#assemble(required, tee, time));
    if (best !== undefined && best.rank >= rate(assembled, required, tee, time).rank)
      return { ...assembled, ...withoutAbsent(best.bundle) };
    return Object.keys(assembled).length === 0 ? undefined : assembled;
  }

  #assemble(
    required: RequiredIntelCollateral | undefined,
    tee: 'sgx' | 'tdx',
    time: number,
  ): IntelCollateral {
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
    const leaves = this.#certificates.filter((one) => /SGX PCK Certificate/.test(one.subject.commonName));
    const [leaf] = leaves;
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
      pckCertificateChain: this.#pckChain(leaves),
    };
  }

  /** PCK certificates with all that may have issued them: which is the quote's, its signature says. */
  #pckChain(leaves: readonly Certificate[]): string | undefined {
    if (leaves.length === 0) return undefined;
    const authorities = this.#certificates.filter((one) =>
      /SGX (?:PCK (?:Platform|Processor)|Root) CA/.test(one.subject.commonName),
    );
    return [...unique(leaves).slice(0, leafLimit), ...unique(authorities).slice(0, authorityLimit)]
      .map((one) => pem(one))
      .join('');
  }
}

function unique(certificates: readonly Certificate[]): Certificate[] {
  return [...new Map(certificates.map((one) => [toHex(one.der), one])).values()];
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

/** What a bundle's rank is made of: TEE, kind of platform, and time, in that order. */
const ofTee = 8;
const ofPlatform = 4;
const ofTime = 2;
const ofListsInTime = 1;

interface Rated {
  readonly bundle: IntelCollateral;
  readonly rank: number;
  readonly evaluationDataNumber: number;
  readonly from: number;
}

function isCurrent(der: Uint8Array | undefined, time: number): boolean {
  if (der === undefined) return false;
  try {
    const { thisUpdate, nextUpdate = thisUpdate } = parseRevocationList(der);
    return thisUpdate <= time && time <= nextUpdate;
  } catch (error) {
    if (error instanceof X509Error) return false;
    throw error;
  }
}

function rate(
  bundle: IntelCollateral,
  required: RequiredIntelCollateral | undefined,
  tee: 'sgx' | 'tdx',
  time: number,
): Rated {
  const read = (text: string | undefined): Part | undefined =>
    text === undefined ? undefined : readPart({ text, signature: new Uint8Array() });
  const part = read(bundle.tcbInfo);
  if (part === undefined) return { bundle, rank: 0, evaluationDataNumber: 0, from: 0 };
  const identity = read(bundle.qeIdentity);
  const inTime = (one: Part | undefined): boolean =>
    one !== undefined && one.from <= time && time <= one.until;
  return {
    bundle,
    rank:
      (part.id === tee.toUpperCase() ? ofTee : 0) +
      (required === undefined || part.fmspc === required.fmspc ? ofPlatform : 0) +
      (inTime(part) && inTime(identity) ? ofTime : 0) +
      (isCurrent(bundle.pckCrl, time) && isCurrent(bundle.rootCaCrl, time) ? ofListsInTime : 0),
    evaluationDataNumber: part.evaluationDataNumber,
    from: part.from,
  };
}

function withoutAbsent(collateral: IntelCollateral): IntelCollateral {
  return Object.fromEntries(Object.entries(collateral).filter(([, part]) => part !== undefined));
}
