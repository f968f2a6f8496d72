import { concatBytes, equalBytes, isZero, toHex, utf8 } from '@ensconce/base/bytes';
import { chainProblem, orderChain } from '@ensconce/x509/chain';
import { parsePemCertificates, type Certificate } from '@ensconce/x509/certificate';
import { spkiOfPoint, type VerificationKey } from '@ensconce/x509/crypto';
import { X509Error } from '@ensconce/x509/errors';
import { pemOf } from '@ensconce/evidence/intel/certification';
import type { QuoteAuthentication } from '@ensconce/evidence/intel/authentication';
import { CheckList, passed, type Check } from '../check.ts';
import { makeWindow, type Window } from '../window.ts';
import { parsePck, type Pck } from './pck.ts';
import type { IntelCollateral } from './collateral.ts';
import type { VerifyOptions } from '../options.ts';

/** The PCK certificate of a platform with its verified line to a root that is not trusted yet. */
interface PckChain {
  readonly leaf: Certificate;
  readonly intermediate: Certificate;
  readonly root: Certificate;
  readonly pck: Pck;
  readonly key: VerificationKey;
  readonly windows: readonly Window[];
}

/** An attestation key for which a platform's quoting enclave and PCK certificate vouch. Holds for any time; dates are judged apart. */
export interface CertifiedKey extends PckChain {
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
      windows: line.map((certificate) =>
        makeWindow(`"${certificate.subject.commonName}"`, certificate.notBefore, certificate.notAfter, renew),
      ),
    };
  } catch (error) {
    if (error instanceof X509Error) return error.message;
    throw error;
  }
}

async function cachedPckChain(bytes: Uint8Array, options: VerifyOptions): Promise<PckChain | string> {
  const { cache, crypto } = options;
  if (cache === undefined) return verifyPckChain(pemOf({ bytes }), options);
  const key = `intel-pck-chain:${toHex(await crypto.sha256(bytes))}`;
  const known = cache.get(key) as PckChain | undefined;
  if (known !== undefined) return known;
  const chain = await verifyPckChain(pemOf({ bytes }), options);
  if (typeof chain !== 'string') cache.set(key, chain);
  return chain;
}

/** Test tools put something else than PEM into quotes; the chain then has to come from elsewhere. */
function isPem(bytes: Uint8Array): boolean {
  return pemOf({ bytes }).includes('-----BEGIN CERTIFICATE-----');
}

/** The PCK chain from the quote where it carries one, else from the collateral; undefined where neither has it. */
async function findPckChain(
  authentication: QuoteAuthentication,
  collateral: IntelCollateral | undefined,
  options: VerifyOptions,
): Promise<PckChain | string | undefined> {
  const { certification } = authentication;
  const inside = (certification.type === 4 || certification.type === 5) && isPem(certification.bytes);
  if (inside && certification.type === 5) return cachedPckChain(certification.bytes, options);
  if (inside && certification.type === 4) {
    if (collateral?.pckCrlIssuerChain === undefined) return undefined;
    return cachedPckChain(
      concatBytes(certification.bytes, utf8(`\n${collateral.pckCrlIssuerChain}`)),
      options,
    );
  }
  if (collateral?.pckCertificateChain === undefined) return undefined;
  const chain = await cachedPckChain(utf8(collateral.pckCertificateChain), options);
  if (typeof chain !== 'string' && certification.type === 1 && toHex(certification.ppid) !== chain.pck.ppid)
    return `a certificate of the platform ${chain.pck.ppid}, but the quote is of ${toHex(certification.ppid)}`;
  return chain;
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
  return { ...chain, attestationKey, checks: checks.list };
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
  const { cache, crypto } = options;
  // Only a quote that carries its whole chain rests on nothing but its own bytes.
  const cacheKey =
    cache !== undefined && authentication.certification.type === 5
      ? `intel-attestation-key:${toHex(await crypto.sha256(authentication.vouching))}`
      : undefined;
  const known = cacheKey === undefined ? undefined : (cache?.get(cacheKey) as CertifiedKey | undefined);
  if (known !== undefined) {
    checks.add(known.checks);
    return known;
  }
  const chain = await findPckChain(authentication, collateral, options);
  if (chain === undefined || typeof chain === 'string') {
    checks.that(names.leaf, false, {
      expected: chainWords,
      found: chain ?? 'none in the quote and none in the collateral',
      ...(chain === undefined
        ? {
            failure: 'undetermined',
            hint: 'fetch the PCK certificate of the platform and give it with the collateral',
          }
        : {}),
    });
    return undefined;
  }
  const own = new CheckList();
  const certified = await certify(authentication, chain, own, options);
  checks.add(own.list);
  if (certified !== undefined && cacheKey !== undefined) cache?.set(cacheKey, certified);
  return certified;
}
