import type { QuoteAuthentication } from '@ensconce/evidence/intel/authentication';
import { CheckList } from '../check.ts';
import { checkWindows } from '../window.ts';
import { anchorOf } from './root.ts';
import { certifyAttestationKey, type CertifiedKey, type PckChain } from './certify.ts';
import { Pairing } from './pairing.ts';
import { checkQe } from './qe.ts';
import { prepareIntelCollateral, type PreparedCollateral } from './prepare.ts';
import type { IntelCollateral } from './collateral.ts';
import type { VerifyOptions } from '../options.ts';

/** The part of an Intel quote that the judgement common to SGX and TDX needs. */
export interface JudgedQuote {
  readonly tee: 'sgx' | 'tdx';
  readonly signed: Uint8Array;
  readonly authentication: QuoteAuthentication;
}

const identityIds = { sgx: 'QE', tdx: 'TD_QE' } as const;

async function checkQuoteSignature(
  quote: JudgedQuote,
  certified: CertifiedKey,
  checks: CheckList,
): Promise<void> {
  const ok = await certified.attestationKey.verify(quote.authentication.signature, quote.signed);
  checks.that('quote is signed by the attestation key', ok, {
    expected: 'a valid ECDSA P-256 signature',
    found: ok ? 'a valid ECDSA P-256 signature' : 'a wrong signature',
  });
}

function checkAnchor(
  checks: CheckList,
  { root }: PckChain,
  options: VerifyOptions,
): 'intel' | 'simulated' | undefined {
  const anchor = anchorOf(root, options.insecureSimulatedRoots);
  checks.that('root is trusted', anchor !== undefined, {
    expected: options.insecureSimulatedRoots?.length
      ? 'Intel’s root, or a given simulated one'
      : 'Intel’s root',
    found: anchor === undefined ? `another root named "${root.subject.commonName}"` : anchor,
    hint: root.subject.commonName.includes('SIMULATED')
      ? 'the evidence is simulated; only an insecure option makes the verifier believe a simulated vendor'
      : 'the evidence was not made by production hardware',
  });
  return anchor;
}

function pair(chain: PckChain, prepared: PreparedCollateral, { cache }: VerifyOptions): Pairing {
  const make = (): Pairing => new Pairing(chain, prepared);
  return cache === undefined ? make() : cache.ofPair(chain, prepared, make);
}

/**
 * Judges everything but the TCB status of an Intel quote, in the order of Intel's quote verification library: the chain of trust down to
 * the quote's own signature, then collateral, dates and revocation, then the quoting enclave. Undefined where the evidence is not genuine
 * or cannot be judged; `checks` says why.
 */
export async function judgeIntelQuote(
  quote: JudgedQuote,
  collateral: IntelCollateral | undefined,
  checks: CheckList,
  options: VerifyOptions,
): Promise<{ readonly pairing: Pairing; readonly simulated: boolean } | undefined> {
  const certified = await certifyAttestationKey(quote.authentication, collateral, checks, options);
  const anchor = certified === undefined ? undefined : checkAnchor(checks, certified.chain, options);
  if (certified !== undefined) {
    await checkQuoteSignature(quote, certified, checks);
    checkWindows(checks, certified.chain.windows, options.at);
  }
  const prepared = await prepareIntelCollateral(collateral, checks, options);
  if (prepared === undefined) return undefined;
  checkWindows(checks, prepared.windows, options.at);
  const pairing = certified === undefined ? undefined : pair(certified.chain, prepared, options);
  if (pairing !== undefined) checks.add(pairing.checks(quote.tee));
  checkQe(checks, quote.authentication.qeReport, prepared.qeIdentity, identityIds[quote.tee]);
  if (pairing === undefined || checks.outcome !== 'genuine') return undefined;
  return { pairing, simulated: anchor === 'simulated' };
}
