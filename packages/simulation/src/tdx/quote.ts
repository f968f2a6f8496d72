import { encodeQuote, type QuoteFaults } from '../intel/quote.ts';
import { encodeTdReport, type TdReportFields } from './body.ts';
import type { SimulatedPlatform } from '../intel/platform.ts';

export type TdxQuoteRequest = Omit<TdReportFields, 'teeTcbSvn'> & {
  /** The platform's own without it. */
  readonly teeTcbSvn?: Uint8Array;
  /** 4 for TD 1.0, 5 for the others, without it. */
  readonly version?: 4 | 5;
};

/** A TDX quote by the platform's quoting enclave, with the PCK chain inside. */
export function makeTdxQuote(
  platform: SimulatedPlatform,
  request: TdxQuoteRequest,
  faults?: QuoteFaults,
): Uint8Array {
  const kind = request.kind ?? 'td-1.0';
  const version = request.version ?? (kind === 'td-1.0' ? 4 : 5);
  const teeTcbSvn = request.teeTcbSvn ?? Uint8Array.from(platform.spec.teeTcbSvn);
  return encodeQuote(platform, version, kind, encodeTdReport({ ...request, kind, teeTcbSvn }), faults);
}
