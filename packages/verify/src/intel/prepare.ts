import { equalBytes, toHex, utf8 } from '@ensconce/base/bytes';
import { EnsconceError } from '@ensconce/base/errors';
import { encodeFields } from '@ensconce/base/fields';
import { chainProblem, orderChain } from '@ensconce/x509/chain';
import { parsePemCertificates, type Certificate } from '@ensconce/x509/certificate';
import { parseRevocationList, type RevocationList } from '@ensconce/x509/crl';
import { isSignedBy } from '@ensconce/x509/signature';
import { CheckList, hints, type Check } from '../check.ts';
import { joinWindows, makeWindow, type Window, type Windows } from '../window.ts';
import { parseEnclaveIdentity, type EnclaveIdentity } from './enclave-identity.ts';
import { parseTcbInfo, type TcbInfo } from './tcb-info.ts';
import type { IntelCollateral } from './collateral.ts';
import type { VerifyOptions } from '../options.ts';

/** Collateral whose signatures and chains hold under one root that is not trusted yet. Dates are judged apart. */
export interface PreparedCollateral {
  readonly root: Certificate;
  readonly intermediate: Certificate;
  readonly rootCrl: RevocationList;
  readonly pckCrl: RevocationList;
  readonly tcbInfo: TcbInfo;
  readonly qeIdentity: EnclaveIdentity;
  readonly windows: Windows;
  readonly checks: readonly Check[];
}

const fetchHint = 'fetch the collateral of this platform: `ensconce evidence collateral fetch`';
const refreshHint = 'fetch newer collateral: `ensconce evidence collateral fetch`; or check the time given';

const partNames: readonly (readonly [keyof IntelCollateral, string])[] = [
  ['pckCrlIssuerChain', 'PCK CRL issuer chain'],
  ['rootCaCrl', 'root CA CRL'],
  ['pckCrl', 'PCK CRL'],
  ['tcbInfoIssuerChain', 'TCB info issuer chain'],
  ['tcbInfo', 'TCB info'],
  ['tcbInfoSignature', 'TCB info signature'],
  ['qeIdentityIssuerChain', 'QE identity issuer chain'],
  ['qeIdentity', 'QE identity'],
  ['qeIdentitySignature', 'QE identity signature'],
];

type Complete = {
  readonly [Part in keyof Omit<IntelCollateral, 'pckCertificateChain'>]-?: NonNullable<IntelCollateral[Part]>;
};

function isComplete(collateral: IntelCollateral, checks: CheckList): collateral is Complete {
  const missing = partNames.filter(([part]) => collateral[part] === undefined).map(([, name]) => name);
  return checks.that('collateral is complete', missing.length === 0, {
    expected: 'revocation lists, TCB info and QE identity with their chains',
    found:
      missing.length === 0
        ? 'all of them'
        : missing.length === partNames.length
          ? 'none of them'
          : `no ${missing.join(', no ')}`,
    failure: 'undetermined',
    hint: fetchHint,
  });
}

/** Two certificates, the upper one a self-signed root. Throws where the text is no such chain. */
async function readIssuerChain(
  pem: string,
  options: VerifyOptions,
): Promise<[Certificate, Certificate] | string> {
  const line = orderChain(parsePemCertificates(pem));
  const [signer, root] = line;
  if (signer === undefined || root === undefined || line.length !== 2) return `${line.length} certificates`;
  return (await chainProblem(options.crypto, line)) ?? [signer, root];
}

/** The steps of preparing; each throws or records a failed check, and then the collateral is of no use. */
class Preparation {
  readonly #checks: CheckList;
  readonly #options: VerifyOptions;
  readonly windows: Window[] = [];

  constructor(checks: CheckList, options: VerifyOptions) {
    this.#checks = checks;
    this.#options = options;
  }

  #window(name: string, from: number, until: number): void {
    this.windows.push(makeWindow(name, from, until, refreshHint));
  }

  async chain(
    pem: string,
    name: string,
    signerName: RegExp,
  ): Promise<[Certificate, Certificate] | undefined> {
    const found = await readIssuerChain(pem, this.#options);
    const problem =
      typeof found === 'string'
        ? found
        : signerName.test(found[0].subject.commonName)
          ? undefined
          : `a signer named "${found[0].subject.commonName}"`;
    const ok = this.#checks.that(`${name} issuer chain`, problem === undefined, {
      expected: 'a signer and an SGX root CA, each signed by the next',
      found: problem ?? 'such a chain',
    });
    if (!ok || typeof found === 'string') return undefined;
    for (const certificate of found)
      this.#window(
        `${name} issuer "${certificate.subject.commonName}"`,
        certificate.notBefore,
        certificate.notAfter,
      );
    return found;
  }

  async crl(der: Uint8Array, name: string, issuer: Certificate): Promise<RevocationList | undefined> {
    const list = parseRevocationList(der);
    const named = equalBytes(list.issuer.der, issuer.subject.der);
    const signed = named && (await isSignedBy(this.#options.crypto, list, issuer));
    this.#checks.that(`${name} is signed by its issuer`, signed, {
      expected: `a list of "${issuer.subject.commonName}" with a valid signature`,
      found: signed ? 'such a list' : named ? 'a wrong signature' : `a list of "${list.issuer.commonName}"`,
    });
    const dated = this.#checks.that(`${name} says when the next is due`, list.nextUpdate !== undefined, {
      expected: 'a nextUpdate',
      found: list.nextUpdate === undefined ? 'none' : 'a nextUpdate',
    });
    const numbered = this.#checks.that(`${name} has a number`, list.number !== undefined, {
      expected: 'a CRL number',
      found: list.number === undefined ? 'none' : `${list.number}`,
    });
    if (!signed || !dated || !numbered) return undefined;
    this.#window(name, list.thisUpdate, list.nextUpdate ?? 0);
    return list;
  }

  notRevoked(list: RevocationList, certificate: Certificate): boolean {
    const ok = !list.revoked.has(certificate.serial);
    return this.#checks.that(`"${certificate.subject.commonName}" is not revoked`, ok, {
      expected: `a serial number that "${list.issuer.commonName}" has not revoked`,
      found: ok ? certificate.serial : `${certificate.serial}, which is revoked`,
    });
  }

  async signed<T extends { readonly issueDate: string; readonly nextUpdate: string }>(
    name: string,
    text: string,
    signature: Uint8Array,
    signer: Certificate,
    parse: (text: string) => T,
  ): Promise<T | undefined> {
    const key = await this.#options.crypto.publicKey(signer.spki, 'ecdsa-p256-sha256');
    const ok = await key.verify(signature, utf8(text));
    this.#checks.that(`${name} is signed by its issuer`, ok, {
      expected: 'a valid ECDSA P-256 signature over the text as served',
      found: ok ? 'a valid signature' : 'a wrong signature',
    });
    if (!ok) return undefined;
    const value = parse(text);
    this.#window(name, Date.parse(value.issueDate), Date.parse(value.nextUpdate));
    return value;
  }

  sameRoot(root: Certificate, others: readonly Certificate[]): boolean {
    const ok = others.every((other) => equalBytes(other.spki, root.spki));
    return this.#checks.that('collateral has one root', ok, {
      expected: 'the same root in all issuer chains',
      found: ok ? 'the same root' : 'different roots',
    });
  }
}

async function prepare(
  parts: Complete,
  checks: CheckList,
  options: VerifyOptions,
): Promise<PreparedCollateral | undefined> {
  const steps = new Preparation(checks, options);
  const pckIssuers = await steps.chain(parts.pckCrlIssuerChain, 'PCK CRL', /CA/);
  if (pckIssuers === undefined) return undefined;
  const [intermediate, root] = pckIssuers;
  const rootCrl = await steps.crl(parts.rootCaCrl, 'root CA CRL', root);
  const pckCrl = await steps.crl(parts.pckCrl, 'PCK CRL', intermediate);
  const tcbIssuers = await steps.chain(parts.tcbInfoIssuerChain, 'TCB info', /TCB Signing/);
  const qeIssuers = await steps.chain(parts.qeIdentityIssuerChain, 'QE identity', /TCB Signing/);
  if (rootCrl === undefined || pckCrl === undefined || tcbIssuers === undefined || qeIssuers === undefined)
    return undefined;
  if (!steps.sameRoot(root, [tcbIssuers[1], qeIssuers[1]])) return undefined;
  const revocations = [intermediate, tcbIssuers[0], qeIssuers[0]].map((one) =>
    steps.notRevoked(rootCrl, one),
  );
  if (revocations.includes(false)) return undefined;
  const tcbInfo = await steps.signed(
    'TCB info',
    parts.tcbInfo,
    parts.tcbInfoSignature,
    tcbIssuers[0],
    parseTcbInfo,
  );
  const qeIdentity = await steps.signed(
    'QE identity',
    parts.qeIdentity,
    parts.qeIdentitySignature,
    qeIssuers[0],
    parseEnclaveIdentity,
  );
  if (tcbInfo === undefined || qeIdentity === undefined) return undefined;
  return {
    root,
    intermediate,
    rootCrl,
    pckCrl,
    tcbInfo,
    qeIdentity,
    windows: joinWindows(steps.windows),
    checks: checks.list,
  };
}

function collateralBytes(parts: Complete): Uint8Array {
  return encodeFields(
    'intel-collateral',
    partNames.map(([part]) => {
      const value = parts[part as keyof Complete];
      return typeof value === 'string' ? utf8(value) : value;
    }),
  );
}

async function prepareComplete(
  parts: Complete,
  checks: CheckList,
  options: VerifyOptions,
): Promise<PreparedCollateral | undefined> {
  try {
    return await prepare(parts, checks, options);
  } catch (error) {
    if (!(error instanceof EnsconceError)) throw error;
    checks.that('collateral is readable', false, {
      expected: 'certificates, lists and statements in the forms that Intel publishes',
      found: error.message,
    });
    return undefined;
  }
}

/** Parses and verifies collateral, or recalls it; undefined where it is of no use, and `checks` says why. */
export async function prepareIntelCollateral(
  collateral: IntelCollateral | undefined,
  checks: CheckList,
  options: VerifyOptions,
): Promise<PreparedCollateral | undefined> {
  const { cache, crypto } = options;
  const same =
    collateral === undefined ? undefined : (cache?.getByObject(collateral) as PreparedCollateral | undefined);
  if (same !== undefined) {
    checks.add(same.checks);
    return same;
  }
  const own = new CheckList(hints.collateral);
  if (!isComplete(collateral ?? {}, own) || collateral === undefined) {
    checks.add(own.list);
    return undefined;
  }
  const parts = collateral as Complete;
  const key =
    cache === undefined ? '' : `intel-collateral:${toHex(await crypto.sha256(collateralBytes(parts)))}`;
  const known = cache?.get(key) as PreparedCollateral | undefined;
  const prepared = known ?? (await prepareComplete(parts, own, options));
  checks.add(prepared?.checks ?? own.list);
  if (prepared === undefined) return undefined;
  cache?.set(key, prepared);
  cache?.setByObject(collateral, prepared);
  return prepared;
}
