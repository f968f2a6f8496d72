import { equalBytes } from '@ensconce/base/bytes';
import type { QuoteAuthentication } from '@ensconce/evidence/intel/authentication';
import { CheckList } from '../check.ts';
import { checkWindows } from '../window.ts';
import { anchorOf } from './root.ts';
import { certifyAttestationKey, type CertifiedKey } from './certify.ts';
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

export interface Judged {
  readonly certified: CertifiedKey;
  readonly prepared: PreparedCollateral;
}

const identityIds = { sgx: 'QE', tdx: 'TD_QE' } as const;
const tcbInfoIds = { sgx: 'SGX', tdx: 'TDX' } as const;

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

function checkRevocation(checks: CheckList, certified: CertifiedKey, prepared: PreparedCollateral): void {
  const { leaf, intermediate } = certified;
  const sameCa = equalBytes(prepared.pckCrl.issuer.der, leaf.issuer.der);
  checks.that('PCK CRL is of the CA that issued the PCK certificate', sameCa, {
    expected: `"${leaf.issuer.commonName}"`,
    found: `"${prepared.pckCrl.issuer.commonName}"`,
    failure: 'undetermined',
    hint: `fetch the ${certified.pck.ca} CA's revocation list`,
  });
  for (const [list, certificate] of [
    [prepared.rootCrl, intermediate],
    [prepared.pckCrl, leaf],
  ] as const) {
    const revoked = list.revoked.has(certificate.serial);
    checks.that(`"${certificate.subject.commonName}" is not revoked`, !revoked, {
      expected: 'a serial number that its issuer has not revoked',
      found: revoked ? `${certificate.serial}, which is revoked` : certificate.serial,
      hint: 'the vendor has withdrawn its trust in this platform',
    });
  }
}

/** Collateral for another kind of platform is as good as none. */
function checkMatch(
  checks: CheckList,
  quote: JudgedQuote,
  certified: CertifiedKey,
  prepared: PreparedCollateral,
): void {
  const { pck } = certified;
  const { tcbInfo } = prepared;
  const rows = [
    ['TCB info is for this TEE', tcbInfoIds[quote.tee], tcbInfo.id],
    ['TCB info is for this kind of platform (FMSPC)', pck.fmspc, tcbInfo.fmspc],
    ['TCB info is for this PCE', pck.pceId, tcbInfo.pceId],
  ] as const;
  for (const [name, expected, found] of rows) {
    checks.that(name, expected === found, {
      expected,
      found,
      failure: 'undetermined',
      hint: `fetch the ${tcbInfoIds[quote.tee]} TCB info for FMSPC ${pck.fmspc}`,
    });
  }
}

function checkAnchor(
  checks: CheckList,
  certified: CertifiedKey,
  options: VerifyOptions,
): 'intel' | 'simulated' | undefined {
  const anchor = anchorOf(certified.root, options.insecureSimulatedRoots);
  checks.that('root is trusted', anchor !== undefined, {
    expected: options.insecureSimulatedRoots?.length
      ? 'Intel’s root, or a given simulated one'
      : 'Intel’s root',
    found: anchor === undefined ? `another root named "${certified.root.subject.commonName}"` : anchor,
    hint: certified.root.subject.commonName.includes('SIMULATED')
      ? 'the evidence is simulated; only an insecure option makes the verifier believe a simulated vendor'
      : 'the evidence was not made by production hardware',
  });
  return anchor;
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
): Promise<(Judged & { readonly simulated: boolean }) | undefined> {
  const certified = await certifyAttestationKey(quote.authentication, collateral, checks, options);
  const anchor = certified === undefined ? undefined : checkAnchor(checks, certified, options);
  if (certified !== undefined) {
    await checkQuoteSignature(quote, certified, checks);
    checkWindows(checks, certified.windows, options.at);
  }
  const prepared = await prepareIntelCollateral(collateral, checks, options);
  if (prepared !== undefined) {
    checkWindows(checks, prepared.windows, options.at);
    if (certified !== undefined) {
      checks.that(
        'collateral and quote have the same root',
        equalBytes(prepared.root.spki, certified.root.spki),
        {
          expected: `"${certified.root.subject.commonName}"`,
          found: `"${prepared.root.subject.commonName}"`,
        },
      );
      checkRevocation(checks, certified, prepared);
      checkMatch(checks, quote, certified, prepared);
    }
    checkQe(checks, quote.authentication.qeReport, prepared.qeIdentity, identityIds[quote.tee]);
  }
  if (certified === undefined || prepared === undefined || checks.outcome !== 'genuine') return undefined;
  return { certified, prepared, simulated: anchor === 'simulated' };
}
