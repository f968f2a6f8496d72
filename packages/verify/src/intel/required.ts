import { EvidenceError } from '@ensconce/evidence/errors';
import { pemOf } from '@ensconce/evidence/intel/certification';
import { parseSgxQuote } from '@ensconce/evidence/sgx/quote';
import { parseTdxQuote } from '@ensconce/evidence/tdx/quote';
import { parsePemCertificates } from '@ensconce/x509/certificate';
import { orderChain } from '@ensconce/x509/chain';
import { X509Error } from '@ensconce/x509/errors';
import { parsePck } from './pck.ts';
import type { QuoteAuthentication } from '@ensconce/evidence/intel/authentication';

/** Which collateral judging a quote takes. Read from an unverified certificate: good for looking up, proves nothing. */
export interface RequiredIntelCollateral {
  readonly tee: 'sgx' | 'tdx';
  /** Lower-case hexadecimal, 6 bytes. */
  readonly fmspc: string;
  readonly ca: 'platform' | 'processor';
}

/** Undefined where the quote does not carry its PCK certificate chain, or one that cannot be read. */
export function requiredIntelCollateral(quote: {
  readonly tee: 'sgx' | 'tdx';
  readonly authentication: QuoteAuthentication;
}): RequiredIntelCollateral | undefined {
  const { certification } = quote.authentication;
  if (certification.type !== 4 && certification.type !== 5) return undefined;
  try {
    const certificates = parsePemCertificates(pemOf(certification));
    const leaf = certification.type === 4 ? certificates[0] : orderChain(certificates)[0];
    if (leaf === undefined) return undefined;
    const { fmspc, ca } = parsePck(leaf);
    return { tee: quote.tee, fmspc, ca };
  } catch (error) {
    if (error instanceof X509Error) return undefined;
    throw error;
  }
}

/** Which Intel collateral a quote needs; undefined where it does not say, or cannot be read. */
export function requiredFor(bytes: Uint8Array, tee: 'sgx' | 'tdx'): RequiredIntelCollateral | undefined {
  try {
    return requiredIntelCollateral(
      tee === 'sgx' ? parseSgxQuote(bytes, 'ignore') : parseTdxQuote(bytes, 'ignore'),
    );
  } catch (error) {
    if (error instanceof EvidenceError) return undefined;
    throw error;
  }
}
