import { concatBytes, equalBytes, isZero, toHex, utf8 } from '@ensconce/base/bytes';
import { chainProblem, orderChain } from '@ensconce/x509/chain';
import { parsePemCertificates, type Certificate } from '@ensconce/x509/certificate';
import { spkiOfPoint, type VerificationKey } from '@ensconce/x509/crypto';
import { X509Error } from '@ensconce/x509/errors';
import { pemEncode } from '@ensconce/x509/pem';
import { pemOf } from '@ensconce/evidence/intel/certification';
import type { QuoteAuthentication } from '@ensconce/evidence/intel/authentication';
import { CheckList, passed, type Check } from '../check.ts';
import { joinWindows, makeWindow, type Windows } from '../window.ts';
import { parsePck, type Pck } from './pck.ts';
import type { IntelCollateral } from './collateral.ts';
import type { VerifyOptions } from '../options.ts';

/** The PCK certificate of a platform with its verified line to a root that is not trusted yet. */
export interface PckChain {
  readonly leaf: Certificate;
  readonly intermediate: Certificate;
  readonly root: Certificate;
  readonly pck: Pck;
  readonly key: VerificationKey;
  readonly windows: Windows;
}

/** A chain and, where there is a cache, the digest of the bytes that it was read from. */
interface FoundChain {
  readonly chain: PckChain;
  readonly digest: string | undefined;
}

/** An attestation key for which a platform's quoting enclave and PCK certificate vouch. Holds for any time; dates are judged apart. */
export interface CertifiedKey {
  readonly chain: PckChain;
  readonly attestationKey: VerificationKey;
  readonly checks: readonly Check[];
}

const names = {
  leaf: 'PCK certificate chain',
  qe: 'QE report is signed by the PCK',
  binding: 'attestation key is bound in the QE report',
} as const;

const chainWords = 'a PCK certificate, a PCK CA and an SGX root CA, each signed by the next';

function roleProblem(line: readonly Certificate[]): string | undefined {
  const [leaf, intermediate, root] = line;
  if (line.length !== 3 || leaf === undefined || intermediate === undefined || root === undefined)
    return `${line.length} certificates`;
  if (!leaf.subject.commonName.includes('SGX PCK Certificate'))
    return `a leaf named "${leaf.subject.commonName}"`;
  if (!intermediate.subject.commonName.includes('CA'))
    return `an intermediate named "${intermediate.subject.commonName}"`;
  if (!root.subject.commonName.includes('SGX Root CA')) return `a root named "${root.subject.commonName}"`;
  return leaf.isAuthority ? 'a leaf that is a certificate authority' : undefined;
}

/** Lines that are tried: collateral is attacker-controlled, and each line costs four signatures. */
const lineLimit = 64;

const renew = 'the platform needs a new PCK certificate; ask its provider, or check the time given';

async function verifyPckChain(pem: string, options: VerifyOptions): Promise<PckChain | string> {
  try {
    const line = orderChain(parsePemCertificates(pem));
    const problem = roleProblem(line) ?? (await chainProblem(options.crypto, line));
    if (problem !== undefined) return problem;
    const [leaf, intermediate, root] = line as [Certificate, Certificate, Certificate];
    return {
      leaf,
      intermediate,
      root,
      pck: parsePck(leaf),
      key: await options.crypto.publicKey(leaf.spki, 'ecdsa-p256-sha256'),
      windows: joinWindows(
        line.map((certificate) =>
          makeWindow(
            `"${certificate.subject.commonName}"`,
            certificate.notBefore,
            certificate.notAfter,
            renew,
          ),
        ),
      ),
    };
  } catch (error) {
    if (error instanceof X509Error) return error.message;
    throw error;
  }
}

const isIssuer = (upper: Certificate, lower: Certificate): boolean =>
  equalBytes(upper.subject.der, lower.issuer.der);

/** Every line from a PCK certificate to a root that the names in `pem` allow, as a text each. */
function linesOf(pem: string): string[] {
  try {
    const all = parsePemCertificates(pem, 64);
    const leaves = all.filter((one) => one.subject.commonName.includes('SGX PCK Certificate'));
    const lines = leaves.flatMap((leaf) =>
      all
        .filter((ca) => isIssuer(ca, leaf))
        .flatMap((ca) =>
          all.filter((root) => isIssuer(root, ca) && isIssuer(root, root)).map((root) => [leaf, ca, root]),
        ),
    );
    if (lines.length < 2) return [pem];
    return lines
      .slice(0, lineLimit)
      .map((line) => line.map((one) => pemEncode(one.der, 'CERTIFICATE')).join(''));
  } catch (error) {
    if (error instanceof X509Error) return [pem];
    throw error;
  }
}

/** Undefined where the bytes are no PEM: test tools put something else into quotes. */
async function pckChainOf(
  bytes: Uint8Array,
  options: VerifyOptions,
): Promise<FoundChain | string | undefined> {
  const { cache, crypto } = options;
  const digest = cache === undefined ? undefined : toHex(await crypto.sha256(bytes));
  const key = `intel-pck-chain:${digest}`;
  const known = cache?.get(key) as PckChain | undefined;
  if (known !== undefined) return { chain: known, digest };
  const pem = pemOf({ bytes });
  if (!pem.includes('-----BEGIN CERTIFICATE-----')) return undefined;
  const chain = await verifyPckChain(pem, options);
  if (typeof chain === 'string') return chain;
  cache?.set(key, chain);
  return { chain, digest };
}

async function chainInQuote(
  { certification }: QuoteAuthentication,
  collateral: IntelCollateral | undefined,
  options: VerifyOptions,
): Promise<FoundChain | string | undefined> {
  if (certification.type === 5) return pckChainOf(certification.bytes, options);
  if (certification.type !== 4 || collateral?.pckCrlIssuerChain === undefined) return undefined;
  return pckChainOf(concatBytes(certification.bytes, utf8(`\n${collateral.pckCrlIssuerChain}`)), options);
}

/**
 * A platform has one PCK certificate for each TCB that it had. The quote does not name the one, but it signed the QE report. Where several are given and
 * none did, the right one is missing; a single one is judged even where it does not fit.
 */
async function givenPckChain(
  { qeReport, qeReportSignature }: QuoteAuthentication,
  pem: string | undefined,
  options: VerifyOptions,
): Promise<FoundChain | string | undefined> {
  const [first, ...others] = pem === undefined ? [] : linesOf(pem);
  if (first === undefined) return undefined;
  if (others.length === 0) return pckChainOf(utf8(first), options);
  for (const line of [first, ...others]) {
    const found = await pckChainOf(utf8(line), options);
    if (typeof found === 'object' && (await found.chain.key.verify(qeReportSignature, qeReport.bytes)))
      return found;
  }
  return undefined;
}

/** The PCK chain from the quote where it carries one, else from the collateral; undefined where neither has it. */
async function findPckChain(
  authentication: QuoteAuthentication,
  collateral: IntelCollateral | undefined,
  options: VerifyOptions,
): Promise<FoundChain | string | undefined> {
  const inside = await chainInQuote(authentication, collateral, options);
  if (inside !== undefined) return inside;
  const found = await givenPckChain(authentication, collateral?.pckCertificateChain, options);
  const { certification } = authentication;
  if (typeof found === 'object' && certification.type === 1) {
    const { ppid } = found.chain.pck;
    if (toHex(certification.ppid) !== ppid)
      return `a certificate of the platform ${ppid}, but the quote is of ${toHex(certification.ppid)}`;
  }
  return found;
}

async function isBound(authentication: QuoteAuthentication, options: VerifyOptions): Promise<boolean> {
  const { attestationKey, qeAuthenticationData, qeReport } = authentication;
  const digest = await options.crypto.sha256(concatBytes(attestationKey, qeAuthenticationData));
  return equalBytes(qeReport.reportData.subarray(0, 32), digest) && isZero(qeReport.reportData.subarray(32));
}

async function importKey(
  authentication: QuoteAuthentication,
  options: VerifyOptions,
): Promise<VerificationKey | undefined> {
  try {
    return await options.crypto.publicKey(
      spkiOfPoint('P-256', authentication.attestationKey),
      'ecdsa-p256-sha256',
    );
  } catch (error) {
    if (error instanceof X509Error) return undefined;
    throw error;
  }
}

async function certify(
  authentication: QuoteAuthentication,
  chain: PckChain,
  checks: CheckList,
  options: VerifyOptions,
): Promise<CertifiedKey | undefined> {
  checks.add([passed(names.leaf, chainWords)]);
  const signed = await chain.key.verify(authentication.qeReportSignature, authentication.qeReport.bytes);
  checks.that(names.qe, signed, {
    expected: 'a valid ECDSA P-256 signature',
    found: signed ? 'a valid ECDSA P-256 signature' : 'a wrong signature',
  });
  const bound = await isBound(authentication, options);
  checks.that(names.binding, bound, {
    expected: 'SHA-256 of attestation key and QE authentication data, then zeros, as report data',
    found: bound ? 'just that' : toHex(authentication.qeReport.reportData),
  });
  const attestationKey = await importKey(authentication, options);
  checks.that('attestation key is a point of P-256', attestationKey !== undefined, {
    expected: 'a point on the curve',
    found: attestationKey === undefined ? 'another value' : 'a point on the curve',
  });
  if (!signed || !bound || attestationKey === undefined) return undefined;
  return { chain, attestationKey, checks: checks.list };
}

/**
 * Finds out whether a platform vouches for the attestation key of a quote: PCK chain, QE report signature and binding. Undefined where not;
 * `checks` says why. What holds is remembered by the digest of all bytes it rests on.
 */
export async function certifyAttestationKey(
  authentication: QuoteAuthentication,
  collateral: IntelCollateral | undefined,
  checks: CheckList,
  options: VerifyOptions,
): Promise<CertifiedKey | undefined> {
  const found = await findPckChain(authentication, collateral, options);
  if (found === undefined || typeof found === 'string') {
    checks.that(names.leaf, false, {
      expected: chainWords,
      found: found ?? 'none in the quote and none in the collateral',
      ...(found === undefined
        ? {
            failure: 'undetermined',
            hint: 'fetch the PCK certificate of the platform and give it with the collateral',
          }
        : {}),
    });
    return undefined;
  }
  const { cache, crypto } = options;
  const key =
    cache === undefined
      ? ''
      : `intel-attestation-key:${found.digest}${toHex(await crypto.sha256(authentication.vouching))}`;
  const known = cache?.get(key) as CertifiedKey | undefined;
  if (known !== undefined) {
    checks.add(known.checks);
    return known;
  }
  const own = new CheckList();
  const certified = await certify(authentication, found.chain, own, options);
  checks.add(own.list);
  if (certified !== undefined) cache?.set(key, certified);
  return certified;
}
