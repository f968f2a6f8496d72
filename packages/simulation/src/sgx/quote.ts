import { fromHex } from '@ensconce/base/bytes';
import { encodeQuote, type QuoteFaults } from '../intel/quote.ts';
import { encodeEnclaveReport } from './body.ts';
import type { SimulatedPlatform } from '../intel/platform.ts';

/** What the simulated hardware found out about the enclave, and the report data that was asked for. */
export interface SgxQuoteRequest {
  /** 32 bytes. */
  readonly mrenclave: Uint8Array;
  /** 32 bytes. */
  readonly mrsigner: Uint8Array;
  readonly isvprodid: number;
  readonly isvsvn: number;
  /** 64 bytes. */
  readonly reportData: Uint8Array;
  readonly debug?: boolean;
  /** 3 without it. */
  readonly version?: 3 | 4 | 5;
}

/** An SGX ECDSA quote by the platform's quoting enclave, with the PCK chain inside. */
export function makeSgxQuote(
  platform: SimulatedPlatform,
  request: SgxQuoteRequest,
  faults?: QuoteFaults,
): Uint8Array {
  const attributes = fromHex('0500000000000000e700000000000000');
  if (request.debug === true) attributes[0] = 0x07;
  const body = encodeEnclaveReport({
    mrEnclave: request.mrenclave,
    mrSigner: request.mrsigner,
    isvProdId: request.isvprodid,
    isvSvn: request.isvsvn,
    attributes,
    cpuSvn: Uint8Array.from(platform.spec.components),
    reportData: request.reportData,
  });
  return encodeQuote(platform, request.version ?? 3, 'sgx', body, faults);
}
