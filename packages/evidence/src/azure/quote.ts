import { ByteReader } from '@ensconce/base/bytes';
import { EvidenceError, reading } from '../errors.ts';

/** The report that Azure's paravisor keeps in the vTPM of a confidential VM (NV index 0x01400001). */
export interface HclReport {
  readonly kind: 'snp' | 'tdx';
  /** SEV-SNP report (1184 bytes), or TDREPORT (1024 bytes): made by the hardware, bound to `runtimeData`. */
  readonly hardwareReport: Uint8Array;
  /** JSON with the vTPM's keys; its digest is the hardware report's report data. */
  readonly runtimeData: Uint8Array;
  readonly hash: 'sha256' | 'sha384' | 'sha512';
}

const magic = 0x414c4348;
const hardwareSize = 1184;
const tdReportSize = 1024;
const snpType = 2;
const tdxType = 4;
const hashes = [undefined, 'sha256', 'sha384', 'sha512'] as const;

export function isHclReport(bytes: Uint8Array): boolean {
  return (
    bytes.length > 32 &&
    new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0, true) === magic
  );
}

/** Parses an attacker-controlled HCL report; NV storage pads it, so what follows the runtime data is left out. Throws `EvidenceError`. */
export function parseHclReport(bytes: Uint8Array): HclReport {
  return reading(() => {
    const reader = new ByteReader(bytes, 'HCL report');
    if (reader.u32('signature') !== magic)
      throw new EvidenceError('EVIDENCE_STRUCTURE', 'HCL report: signature "HCLA" expected, another found');
    reader.skip(28, 'header');
    const hardware = reader.bytes(hardwareSize, 'hardware report');
    reader.u32('data size');
    reader.u32('version');
    const type = reader.u32('report type');
    const hash = hashes[reader.u32('hash type')];
    const runtimeData = reader.bytes(reader.u32('runtime data size'), 'runtime data');
    if (hash === undefined || (type !== snpType && type !== tdxType)) {
      throw new EvidenceError(
        'EVIDENCE_UNSUPPORTED',
        `HCL report: type 2 (SNP) or 4 (TDX) with SHA-2 expected, ${type} found`,
      );
    }
    const kind = type === snpType ? 'snp' : 'tdx';
    return {
      kind,
      hardwareReport: kind === 'snp' ? hardware : hardware.subarray(0, tdReportSize),
      runtimeData,
      hash,
    };
  });
}

const reportDataOffset = { snp: 0x50, tdx: 128 } as const;

/** The 64 bytes of report data in the hardware report. */
export function hardwareReportData(report: HclReport): Uint8Array {
  const at = reportDataOffset[report.kind];
  return report.hardwareReport.subarray(at, at + 64);
}
