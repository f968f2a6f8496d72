import { equalBytes, toHex } from '@ensconce/base/bytes';
import { EvidenceError } from '@ensconce/evidence/errors';
import { parseEventLog, type LogEvent } from '@ensconce/evidence/event-log';
import { parseTpmEvidence, type TpmEvidence } from '@ensconce/evidence/tpm/envelope';
import { chainProblem, orderChain } from '@ensconce/x509/chain';
import { parseCertificate, type Certificate } from '@ensconce/x509/certificate';
import { X509Error } from '@ensconce/x509/errors';
import { signatureAlgorithmOf } from './algorithm.ts';
import { CheckList } from '../check.ts';
import { checkWindows, joinWindows, makeWindow } from '../window.ts';
import { checkTpmQuote } from './quote.ts';
import { replayPcrs } from './event-log.ts';
import { issueVerdict, type Verdict } from '../verdict.ts';
import { parseChecked, refuse } from '../refusal.ts';
import type { TpmQuoteClaims } from './claims.ts';
import type { VerifyOptions } from '../options.ts';

interface Parsed {
  readonly evidence: TpmEvidence;
  readonly events: readonly LogEvent[] | undefined;
}

function parse(bytes: Uint8Array): Parsed {
  const evidence = parseTpmEvidence(bytes);
  return {
    evidence,
    events: evidence.eventLog === undefined ? undefined : parseEventLog(evidence.eventLog),
  };
}

const chainWords = 'the attestation key’s certificate and its issuers up to a root, each signed by the next';

/** The line from the certificate of the attestation key to a root that is not trusted yet; undefined where none came along. */
async function readChain(
  evidence: TpmEvidence,
  options: VerifyOptions,
): Promise<readonly Certificate[] | string | undefined> {
  if (evidence.certificates.length === 0) return undefined;
  try {
    const line = orderChain(evidence.certificates.map((der) => parseCertificate(der)));
    const [leaf] = line;
    if (leaf === undefined || !equalBytes(leaf.spki, evidence.attestationKey))
      return 'a certificate of another key';
    return (await chainProblem(options.crypto, line)) ?? line;
  } catch (error) {
    if (error instanceof X509Error) return error.message;
    throw error;
  }
}

type Anchor = 'given' | 'simulated';

function anchorOf(root: Certificate, options: VerifyOptions): Anchor | undefined {
  const isAmong = (roots: readonly Uint8Array[] | undefined): boolean =>
    roots?.some((der) => equalBytes(der, root.der)) ?? false;
  if (isAmong(options.tpmRoots)) return 'given';
  return isAmong(options.insecureSimulatedRoots) ? 'simulated' : undefined;
}

const rootHint = 'TPM vendors have no common root: give the root certificate of this TPM’s vendor';

async function checkTrust(
  checks: CheckList,
  evidence: TpmEvidence,
  options: VerifyOptions,
): Promise<Anchor | undefined> {
  const line = await readChain(evidence, options);
  const ok = typeof line === 'object';
  checks.that('certificate chain', ok, {
    expected: chainWords,
    found: ok ? 'such a chain' : (line ?? 'no certificate of the attestation key'),
    ...(line === undefined
      ? { failure: 'undetermined', hint: 'have the key’s certificates sent along (ak_certificates)' }
      : {}),
  });
  const root = ok ? line.at(-1) : undefined;
  if (!ok || root === undefined) return undefined;
  const anchor = anchorOf(root, options);
  // Unlike elsewhere an unknown root proves nothing false here: none is built in.
  checks.that('root is trusted', anchor !== undefined, {
    expected: 'a given root of a TPM vendor',
    found: anchor ?? `another root named "${root.subject.commonName}"`,
    failure: 'undetermined',
    hint: rootHint,
  });
  const windows = line.map((one) =>
    makeWindow(`"${one.subject.commonName}"`, one.notBefore, one.notAfter, rootHint),
  );
  checkWindows(checks, joinWindows(windows), options.at);
  return anchor;
}

async function checkQuote(
  checks: CheckList,
  { quote, attestationKey, pcrs }: TpmEvidence,
  options: VerifyOptions,
): Promise<TpmQuoteClaims | undefined> {
  try {
    const algorithm = signatureAlgorithmOf(quote);
    const key = await options.crypto.publicKey(attestationKey, algorithm);
    const input = { body: quote.body, signature: quote.signature, hash: quote.hash, pcrs };
    return await checkTpmQuote(checks, input, key, options);
  } catch (error) {
    if (!(error instanceof X509Error) && !(error instanceof EvidenceError)) throw error;
    checks.that('attestation key can be used', false, {
      expected: 'an RSA or P-256 key with SHA-2',
      found: error.message,
    });
    return undefined;
  }
}

async function checkLog(
  checks: CheckList,
  { evidence, events }: Parsed,
  claims: TpmQuoteClaims,
  options: VerifyOptions,
): Promise<readonly number[] | null> {
  const [selection] = evidence.quote.body.selections;
  if (events === undefined || selection === undefined) return null;
  const { logged, unexplained } = await replayPcrs(options.crypto, selection.hash, events, claims.pcrs);
  checks.that('event log explains the PCRs that it names', unexplained.length === 0, {
    expected: `PCRs ${logged.join(', ')}`,
    found: unexplained.length === 0 ? 'all of them' : `other values of PCRs ${unexplained.join(', ')}`,
    hint: 'the log was changed, or is of another start of the machine',
  });
  return logged;
}

/**
 * Judges attacker-controlled evidence of a TPM alone: quote, PCR values, event log, and the chain of its attestation key, whose root must be given.
 * Always gives a verdict; reads no clock and no network.
 */
export async function verifyTpmEvidence(bytes: Uint8Array, options: VerifyOptions): Promise<Verdict> {
  const checks = new CheckList();
  const parsed = parseChecked(checks, 'a TPM quote with its key as JSON', () => parse(bytes));
  if (parsed === undefined) return refuse('tpm', checks, options.at);
  const quote = await checkQuote(checks, parsed.evidence, options);
  const loggedPcrs = quote === undefined ? null : await checkLog(checks, parsed, quote, options);
  const anchor = await checkTrust(checks, parsed.evidence, options);
  if (quote === undefined || checks.outcome !== 'genuine') return refuse('tpm', checks, options.at);
  const { nonce, ...rest } = quote;
  return issueVerdict({
    tee: 'tpm',
    outcome: 'genuine',
    simulated: anchor === 'simulated',
    claims: {
      tee: 'tpm',
      debug: false,
      attestationKey: toHex(await options.crypto.sha256(parsed.evidence.attestationKey)),
      reportData: nonce,
      ...rest,
      loggedPcrs,
    },
    tcbStatus: null,
    tcbDate: null,
    advisories: [],
    tcb: null,
    checks: checks.list,
    at: options.at,
  });
}
