import { equalBytes, isZero, toHex } from '@ensconce/base/bytes';
import { parseCarriedQuote, type CarriedQuote } from '@ensconce/evidence/ra-tls/quote';
import { parseRaTlsCertificate, type RaTlsCertificate } from '@ensconce/evidence/ra-tls/envelope';
import type { Binding } from '@ensconce/evidence/ra-tls/binding';
import { isSignedBy } from '@ensconce/x509/signature';
import { CheckList } from '../check.ts';
import { issueVerdict, type Judged, type Verdict } from '../verdict.ts';
import { judgeSgx } from '../sgx/verify.ts';
import { judgeSnp } from '../snp/verify.ts';
import { judgeTdx } from '../tdx/verify.ts';
import { refuse } from '../refusal.ts';
import { requiredFor } from '../intel/required.ts';
import { packagedExtensions } from '../tdx/event-log.ts';
import { EvidenceError } from '@ensconce/evidence/errors';
import { certificateClaims, wordsOf } from './claims.ts';
import type { Packaged } from '@ensconce/evidence/packaging';
import type { CollateralPool } from '../collateral-pool.ts';
import type { VerifyOptions } from '../options.ts';

interface Parsed {
  readonly ratls: RaTlsCertificate;
  readonly carried: CarriedQuote;
}

function parse(bytes: Uint8Array): Parsed {
  const ratls = parseRaTlsCertificate(bytes);
  return { ratls, carried: parseCarriedQuote(ratls.packaged.evidence) };
}

const moved =
  'the certificate was made around evidence for another key: do not talk to whoever shows it; have the enclave make its own';

/** Which of the forms report data has; undefined where it has none: then the evidence is somebody else's. */
async function checkBinding(
  checks: CheckList,
  { ratls, carried }: Parsed,
  { crypto }: VerifyOptions,
): Promise<Binding | undefined> {
  const { reportData } = carried;
  let found: Binding | undefined;
  let digest = new Uint8Array() as Uint8Array;
  for (const binding of ratls.bindings) {
    digest = await crypto[binding.hash](binding.data);
    if (
      !equalBytes(reportData.subarray(0, digest.length), digest) ||
      !isZero(reportData.subarray(digest.length))
    )
      continue;
    found = binding;
    break;
  }
  const [only, ...others] = ratls.bindings;
  const expected =
    only !== undefined && others.length === 0
      ? `${wordsOf(only)}, then zeros: ${toHex(digest)}`
      : 'a SHA-2 digest of the public key, then zeros';
  checks.that('report data binds the certificate’s key', found !== undefined, {
    expected,
    found: found === undefined ? toHex(reportData) : wordsOf(found),
    hint: moved,
  });
  return found;
}

/** Claims stand between report data and the key where the form has them. */
async function checkKeyHash(
  checks: CheckList,
  { claims, certificate }: RaTlsCertificate,
  options: VerifyOptions,
): Promise<void> {
  if (claims === undefined) return;
  const digest = await options.crypto[claims.keyHash](certificate.spki);
  checks.that('claims name the certificate’s key', equalBytes(claims.keyDigest, digest), {
    expected: toHex(digest),
    found: toHex(claims.keyDigest),
    hint: moved,
  });
}

/** Whether the key that the evidence vouches for signed the certificate itself. One that says so must be; for others policies decide. */
async function checkSignature(
  checks: CheckList,
  { selfIssued, certificate }: RaTlsCertificate,
  options: VerifyOptions,
): Promise<boolean> {
  const signed = await isSignedBy(options.crypto, certificate, certificate);
  if (!selfIssued) return signed;
  const known = certificate.keyKind !== 'other';
  checks.that('certificate is signed by its own key', signed, {
    expected: 'a valid signature by an RSA key or one on P-256 or P-384',
    found: signed ? 'such a signature' : known ? 'a wrong signature' : 'another kind of key',
    ...(known
      ? {}
      : { failure: 'undetermined', hint: 'have the certificate made with a key of one of these kinds' }),
  });
  return signed;
}

async function readLog(
  checks: CheckList,
  packaged: Packaged,
  { crypto }: VerifyOptions,
): Promise<VerifyOptions['eventLog']> {
  try {
    return await packagedExtensions(crypto, packaged);
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    checks.that('event log is readable', false, { expected: 'a CC event log', found: error.message });
    return undefined;
  }
}

async function judgeCarried(
  checks: CheckList,
  { ratls, carried }: Parsed,
  pool: CollateralPool,
  given: VerifyOptions,
): Promise<Judged | undefined> {
  const { evidence, certificates } = ratls.packaged;
  // Some makers copy the whole buffer of the driver: padding here is what the signer of the certificate put there.
  const options: VerifyOptions = { ...given, trailing: 'ignore' };
  if (carried.tee === 'snp') {
    const amd = pool.amd();
    return judgeSnp(
      evidence,
      { ...amd, certificates: [...certificates, ...amd.certificates] },
      checks,
      options,
    );
  }
  const intel = pool.intel(requiredFor(evidence, carried.tee), carried.tee, options.at);
  if (carried.tee === 'sgx') return judgeSgx(evidence, intel, checks, options);
  return judgeTdx(evidence, intel, checks, {
    ...options,
    eventLog: await readLog(checks, ratls.packaged, options),
  });
}

/**
 * Judges an attacker-controlled RA-TLS certificate (or request): the evidence in it, and that it was made for the certificate's key. The verdict is that
 * of the hardware, with the certificate's claims beside it. Whether the peer holds the key is for TLS to find out. Throws `EvidenceError` where
 * the certificate carries no evidence that can be read: then there is nothing to judge.
 */
export async function verifyRaTlsCertificate(
  bytes: Uint8Array,
  pool: CollateralPool,
  options: VerifyOptions,
): Promise<Verdict> {
  const checks = new CheckList();
  const parsed = parse(bytes);
  const expected = 'a certificate with a quote or report';
  checks.that('certificate is readable', true, {
    expected,
    found: `one with evidence as ${parsed.ratls.form}`,
  });
  const { tee } = parsed.carried;
  const binding = await checkBinding(checks, parsed, options);
  await checkKeyHash(checks, parsed.ratls, options);
  const selfSigned = await checkSignature(checks, parsed.ratls, options);
  const judged = await judgeCarried(checks, parsed, pool, options);
  const { claims } = judged ?? {};
  if (
    judged === undefined ||
    binding === undefined ||
    checks.outcome !== 'genuine' ||
    (claims?.tee !== 'sgx' && claims?.tee !== 'tdx' && claims?.tee !== 'snp')
  )
    return refuse(tee, checks, options.at);
  const digest = await options.crypto.sha256(parsed.ratls.certificate.spki);
  return issueVerdict({
    ...judged,
    tee,
    outcome: 'genuine',
    claims: { ...claims, certificate: certificateClaims(parsed.ratls, digest, binding, selfSigned) },
    checks: checks.list,
    at: options.at,
  });
}
