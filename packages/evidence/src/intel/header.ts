import { toHex, type ByteReader } from '@ensconce/base/bytes';
import { EvidenceError } from '../errors.ts';

/** The first 48 bytes of every Intel ECDSA quote (Intel SGX DCAP, `sgx_quote_3.h`, `sgx_quote_5.h`). */
export interface QuoteHeader {
  readonly version: number;
  /** 2: ECDSA P-256. */
  readonly attestationKeyType: number;
  /** 0: SGX, 0x81: TDX. */
  readonly teeType: number;
  /** Version 3 only; not meaningful for TDX. */
  readonly qeSvn: number;
  readonly pceSvn: number;
  /** 16 bytes. */
  readonly qeVendorId: Uint8Array;
  /** 20 bytes; the first 16 identify the platform's quoting enclave. */
  readonly userData: Uint8Array;
}

export const teeTypes = { sgx: 0, tdx: 0x81 } as const;
export const headerSize = 48;
export const ecdsaP256 = 2;
export const intelQeVendorId = '939a7233f79c4ca9940a0db3957f0607';
/** Bytes; larger than any quote with a certificate chain, real ones have 4.2 to 5 KiB. */
export const quoteLimit = 65_536;

/** Newer platforms give out DICE/CWT quotes through the same interface; the kernel tells them by their size. */
const diceSize = 8192;

export function readHeader(reader: ByteReader, versions: readonly number[]): QuoteHeader {
  const version = reader.u16('version');
  if (!versions.includes(version)) {
    const dice =
      reader.remaining > diceSize
        ? '; a quote of more than 8 KiB may be a DICE one, which is not supported'
        : '';
    throw new EvidenceError(
      'EVIDENCE_UNSUPPORTED',
      `quote: version ${versions.join(' or ')} expected, ${version} found${dice}`,
    );
  }
  const header: QuoteHeader = {
    version,
    attestationKeyType: reader.u16('attestation key type'),
    teeType: reader.u32('TEE type'),
    qeSvn: reader.u16('QE SVN'),
    pceSvn: reader.u16('PCE SVN'),
    qeVendorId: reader.bytes(16, 'QE vendor id'),
    userData: reader.bytes(20, 'user data'),
  };
  if (header.attestationKeyType !== ecdsaP256) {
    throw new EvidenceError(
      'EVIDENCE_UNSUPPORTED',
      `quote: attestation key type 2 (ECDSA P-256) expected, ${header.attestationKeyType} found`,
    );
  }
  if (toHex(header.qeVendorId) !== intelQeVendorId) {
    throw new EvidenceError(
      'EVIDENCE_UNSUPPORTED',
      `quote: QE vendor ${intelQeVendorId} (Intel) expected, ${toHex(header.qeVendorId)} found`,
    );
  }
  return header;
}
