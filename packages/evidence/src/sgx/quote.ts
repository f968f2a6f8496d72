import { ByteReader } from '@ensconce/base/bytes';
import { EvidenceError, reading } from '../errors.ts';
import { headerSize, quoteLimit, readHeader, teeTypes, type QuoteHeader } from '../intel/header.ts';
import { readAuthentication, type QuoteAuthentication, type Trailing } from '../intel/authentication.ts';
import { enclaveReportSize, parseEnclaveReport, type EnclaveReport } from './body.ts';

/** An SGX ECDSA quote, version 3. All byte strings are views of the input. */
export interface SgxQuote {
  readonly tee: 'sgx';
  readonly header: QuoteHeader;
  readonly report: EnclaveReport;
  /** Header ‖ report: what the attestation key signed. */
  readonly signed: Uint8Array;
  readonly authentication: QuoteAuthentication;
}

/** Parses an attacker-controlled SGX quote of version 3; throws `EvidenceError`. */
export function parseSgxQuote(bytes: Uint8Array, trailing: Trailing = 'refuse'): SgxQuote {
  if (bytes.length > quoteLimit) {
    throw new EvidenceError(
      'EVIDENCE_SIZE',
      `quote: at most ${quoteLimit} bytes expected, ${bytes.length} found`,
    );
  }
  return reading(() => {
    const reader = new ByteReader(bytes, 'quote');
    const header = readHeader(reader, [3]);
    if (header.teeType !== teeTypes.sgx) {
      throw new EvidenceError(
        'EVIDENCE_STRUCTURE',
        `quote: TEE type 0 (SGX) expected in version 3, 0x${header.teeType.toString(16)} found`,
      );
    }
    const report = parseEnclaveReport(reader.bytes(enclaveReportSize, 'enclave report'));
    return {
      tee: 'sgx',
      header,
      report,
      signed: bytes.subarray(0, headerSize + enclaveReportSize),
      authentication: readAuthentication(reader, false, trailing),
    };
  });
}
