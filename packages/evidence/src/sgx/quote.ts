import { ByteReader } from '@ensconce/base/bytes';
import { EvidenceError, reading } from '../errors.ts';
import { quoteLimit, type QuoteHeader } from '../intel/header.ts';
import { readAuthentication, type QuoteAuthentication, type Trailing } from '../intel/authentication.ts';
import { readQuoteStart } from '../intel/body.ts';
import { parseEnclaveReport, type EnclaveReport } from './body.ts';

/** An SGX ECDSA quote, version 3, 4 or 5. All byte strings are views of the input. */
export interface SgxQuote {
  readonly tee: 'sgx';
  readonly header: QuoteHeader;
  readonly report: EnclaveReport;
  /** From the header to the end of the report: what the attestation key signed. */
  readonly signed: Uint8Array;
  readonly authentication: QuoteAuthentication;
}

/** Parses an attacker-controlled SGX quote; throws `EvidenceError`. */
export function parseSgxQuote(bytes: Uint8Array, trailing: Trailing = 'refuse'): SgxQuote {
  if (bytes.length > quoteLimit) {
    throw new EvidenceError(
      'EVIDENCE_SIZE',
      `quote: at most ${quoteLimit} bytes expected, ${bytes.length} found`,
    );
  }
  return reading(() => {
    const reader = new ByteReader(bytes, 'quote');
    const { header, kind, body, signed } = readQuoteStart(bytes, reader, [3, 4, 5]);
    if (kind !== 'sgx')
      throw new EvidenceError('EVIDENCE_STRUCTURE', 'quote: an enclave expected, a TD found');
    const authentication = readAuthentication(reader, header.version > 3, trailing);
    return { tee: 'sgx', header, report: parseEnclaveReport(body), signed, authentication };
  });
}
