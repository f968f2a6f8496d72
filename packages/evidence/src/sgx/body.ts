import { ByteReader } from '@ensconce/base/bytes';

/** An enclave report body, 384 bytes: the same for the application's enclave and the quoting enclave (Intel SDM 3D, REPORT). */
export interface EnclaveReport {
  /** The 384 bytes themselves: what is signed. */
  readonly bytes: Uint8Array;
  readonly cpuSvn: Uint8Array;
  /** As the 4 bytes stand: Intel's masks compare bytes. */
  readonly miscSelect: Uint8Array;
  readonly cetAttributes: number;
  readonly isvExtProdId: Uint8Array;
  /** 16 bytes: flags ‖ XFRM. */
  readonly attributes: Uint8Array;
  readonly mrEnclave: Uint8Array;
  readonly mrSigner: Uint8Array;
  readonly configId: Uint8Array;
  readonly isvProdId: number;
  readonly isvSvn: number;
  readonly configSvn: number;
  readonly isvFamilyId: Uint8Array;
  /** 64 bytes, chosen by whoever asked for the report. */
  readonly reportData: Uint8Array;
}

export const enclaveReportSize = 384;

/** Bits of the first byte of ATTRIBUTES.FLAGS. */
export const attributeFlags = {
  init: 0x01,
  debug: 0x02,
  mode64: 0x04,
  provisionKey: 0x10,
  einitTokenKey: 0x20,
  kss: 0x80,
} as const;

/** Parses exactly 384 attacker-controlled bytes. Key-separation fields are given as they stand; they count only with the KSS flag. */
export function parseEnclaveReport(bytes: Uint8Array): EnclaveReport {
  const reader = new ByteReader(bytes, 'enclave report');
  const cpuSvn = reader.bytes(16, 'CPUSVN');
  const miscSelect = reader.bytes(4, 'MISCSELECT');
  const cetAttributes = reader.u8('CET_ATTRIBUTES');
  reader.skip(11, 'reserved');
  const isvExtProdId = reader.bytes(16, 'ISVEXTPRODID');
  const attributes = reader.bytes(16, 'ATTRIBUTES');
  const mrEnclave = reader.bytes(32, 'MRENCLAVE');
  reader.skip(32, 'reserved');
  const mrSigner = reader.bytes(32, 'MRSIGNER');
  reader.skip(32, 'reserved');
  const configId = reader.bytes(64, 'CONFIGID');
  const isvProdId = reader.u16('ISVPRODID');
  const isvSvn = reader.u16('ISVSVN');
  const configSvn = reader.u16('CONFIGSVN');
  reader.skip(42, 'reserved');
  const isvFamilyId = reader.bytes(16, 'ISVFAMILYID');
  const reportData = reader.bytes(64, 'REPORTDATA');
  reader.end();
  return {
    bytes,
    cpuSvn,
    miscSelect,
    cetAttributes,
    isvExtProdId,
    attributes,
    mrEnclave,
    mrSigner,
    configId,
    isvProdId,
    isvSvn,
    configSvn,
    isvFamilyId,
    reportData,
  };
}

export function hasFlag(report: EnclaveReport, flag: number): boolean {
  return ((report.attributes[0] as number) & flag) !== 0;
}
