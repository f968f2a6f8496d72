import { concatBytes, fromHex } from '@ensconce/base/bytes';
import { ecdsaP256, intelQeVendorId } from '@ensconce/evidence/intel/header';
import { pointOf, signRaw } from '../key.ts';
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
}

const u16 = (value: number): Uint8Array => Uint8Array.of(value & 0xff, value >> 8);

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

const pckChain = 5;

/** An SGX ECDSA quote of version 3 by the platform's quoting enclave, with the PCK chain inside. */
export function makeSgxQuote(platform: SimulatedPlatform, request: SgxQuoteRequest): Uint8Array {
  const header = concatBytes(
    u16(3),
    u16(ecdsaP256),
    u32(0),
    u16(platform.spec.qeIsvSvn),
    u16(platform.spec.pceSvn),
    fromHex(intelQeVendorId),
    platform.qeId,
    new Uint8Array(4),
  );
  const attributes = fromHex('0500000000000000e700000000000000');
  if (request.debug === true) attributes[0] = 0x07;
  const signed = concatBytes(
    header,
    encodeEnclaveReport({
      mrEnclave: request.mrenclave,
      mrSigner: request.mrsigner,
      isvProdId: request.isvprodid,
      isvSvn: request.isvsvn,
      attributes,
      cpuSvn: Uint8Array.from(platform.spec.components),
      reportData: request.reportData,
    }),
  );
  const authentication = concatBytes(
    signRaw(platform.attestationKey, 'sha256', signed),
    pointOf(platform.attestationKey),
    platform.qeReport,
    platform.qeReportSignature,
    u16(platform.qeAuthenticationData.length),
    platform.qeAuthenticationData,
    u16(pckChain),
    u32(platform.chain.length),
    platform.chain,
  );
  return concatBytes(signed, u32(authentication.length), authentication);
}
