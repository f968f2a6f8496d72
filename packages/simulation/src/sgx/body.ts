/** The fields of an enclave report that the simulator sets; all others are zero. */
export interface EnclaveReportFields {
  readonly mrEnclave: Uint8Array;
  readonly mrSigner: Uint8Array;
  readonly isvProdId: number;
  readonly isvSvn: number;
  /** 16 bytes. */
  readonly attributes: Uint8Array;
  /** 16 bytes. */
  readonly cpuSvn: Uint8Array;
  /** 4 bytes. */
  readonly miscSelect?: Uint8Array;
  /** 64 bytes. */
  readonly reportData: Uint8Array;
}

function sized(bytes: Uint8Array, length: number, name: string): Uint8Array {
  if (bytes.length !== length)
    throw new RangeError(`${name}: ${length} bytes expected, ${bytes.length} found`);
  return bytes;
}

/** Writes the 384 bytes of an enclave report body (Intel SDM 3D, REPORT). */
export function encodeEnclaveReport(fields: EnclaveReportFields): Uint8Array {
  const report = new Uint8Array(384);
  const view = new DataView(report.buffer);
  report.set(sized(fields.cpuSvn, 16, 'CPUSVN'), 0);
  report.set(sized(fields.miscSelect ?? new Uint8Array(4), 4, 'MISCSELECT'), 16);
  report.set(sized(fields.attributes, 16, 'ATTRIBUTES'), 48);
  report.set(sized(fields.mrEnclave, 32, 'MRENCLAVE'), 64);
  report.set(sized(fields.mrSigner, 32, 'MRSIGNER'), 128);
  view.setUint16(256, fields.isvProdId, true);
  view.setUint16(258, fields.isvSvn, true);
  report.set(sized(fields.reportData, 64, 'REPORTDATA'), 320);
  return report;
}
