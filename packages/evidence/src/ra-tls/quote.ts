import { EvidenceError } from '../errors.ts';
import { quoteTee } from '../intel/body.ts';
import { parseSgxQuote, type SgxQuote } from '../sgx/quote.ts';
import { parseTdxQuote, type TdxQuote } from '../tdx/quote.ts';
import { parseSnpReport, type SnpReport } from '../snp/quote.ts';
import { snpFormat } from '../snp/format.ts';

/** A quote or report as hardware makes it, and the 64 bytes that it was asked to carry. */
export type CarriedQuote = { readonly reportData: Uint8Array } & (
  | { readonly tee: 'sgx'; readonly quote: SgxQuote }
  | { readonly tee: 'tdx'; readonly quote: TdxQuote }
  | { readonly tee: 'snp'; readonly quote: SnpReport }
);

/** Parses what a certificate carries; bytes behind its end are left out. Throws `EvidenceError`. */
export function parseCarriedQuote(bytes: Uint8Array): CarriedQuote {
  const tee = quoteTee(bytes) ?? (snpFormat.recognises(bytes) ? 'snp' : undefined);
  if (tee === 'sgx') {
    const quote = parseSgxQuote(bytes, 'ignore');
    return { tee, quote, reportData: quote.report.reportData };
  }
  if (tee === 'tdx') {
    const quote = parseTdxQuote(bytes, 'ignore');
    return { tee, quote, reportData: quote.report.reportData };
  }
  if (tee === 'snp') {
    const quote = parseSnpReport(bytes, 'ignore');
    return { tee, quote, reportData: quote.body.reportData };
  }
  throw new EvidenceError(
    'EVIDENCE_UNSUPPORTED',
    'RA-TLS certificate: an SGX or TDX quote or an SEV-SNP report expected, something else found',
  );
}
