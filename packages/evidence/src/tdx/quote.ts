import { ByteReader } from '@ensconce/base/bytes';
import { EvidenceError, reading } from '../errors.ts';
import { quoteLimit, type QuoteHeader } from '../intel/header.ts';
import { readAuthentication, type QuoteAuthentication, type Trailing } from '../intel/authentication.ts';
import { readQuoteStart, type BodyKind } from '../intel/body.ts';
import { parseTdReport, type TdReport } from './body.ts';

/** A TDX quote, version 4 or 5. All byte strings are views of the input. */
export interface TdxQuote {
  readonly tee: 'tdx';
  readonly header: QuoteHeader;
  readonly kind: Exclude<BodyKind, 'sgx'>;
  readonly report: TdReport;
  /** From the header to the end of the body: what the attestation key signed. */
  readonly signed: Uint8Array;
  readonly authentication: QuoteAuthentication;
}

/** Parses an attacker-controlled TDX quote; throws `EvidenceError`. */
export function parseTdxQuote(bytes: Uint8Array, trailing: Trailing = 'refuse'): TdxQuote {
  if (bytes.length > quoteLimit) {
    throw new EvidenceError(
      'EVIDENCE_SIZE',
      `quote: at most ${quoteLimit} bytes expected, ${bytes.length} found`,
    );
  }
  return reading(() => {
    const reader = new ByteReader(bytes, 'quote');
    const { header, kind, body, signed } = readQuoteStart(bytes, reader, [4, 5]);
    if (kind === 'sgx')
      throw new EvidenceError('EVIDENCE_STRUCTURE', 'quote: a TD expected, an enclave found');
    const authentication = readAuthentication(reader, true, trailing);
    return { tee: 'tdx', header, kind, report: parseTdReport(body), signed, authentication };
  });
}
