import { createHash } from 'node:crypto';
import { concatBytes, utf8 } from '@ensconce/base/bytes';
import { u32 } from '../integers.ts';

export type HclHash = 'sha256' | 'sha384' | 'sha512';

/** What is wrong with a report; every field breaks one thing that a verifier must notice. */
export interface HclFaults {
  /** The hardware's report data is the digest of something else. */
  readonly unbound?: boolean;
  /** The type of another report. */
  readonly reportType?: number;
  readonly hashType?: number;
  readonly cut?: number;
}

const hashTypes: Readonly<Record<HclHash, number>> = { sha256: 1, sha384: 2, sha512: 3 };
const reportTypes = { snp: 2, tdx: 4 } as const;
const hardwareSize = 1184;

/** The report data that binds the runtime data: its digest, then zeros. */
export function bindingOf(runtimeData: Uint8Array, hash: HclHash, faults: HclFaults = {}): Uint8Array {
  const data = faults.unbound === true ? runtimeData.toReversed() : runtimeData;
  return concatBytes(createHash(hash).update(data).digest(), new Uint8Array(64)).subarray(0, 64);
}

/** The report in the vTPM of an Azure confidential VM, padded as NV storage pads it. */
export function encodeHclReport(
  kind: 'snp' | 'tdx',
  hardwareReport: Uint8Array,
  runtimeData: Uint8Array,
  hash: HclHash,
  faults: HclFaults = {},
): Uint8Array {
  const hardware = new Uint8Array(hardwareSize);
  hardware.set(hardwareReport);
  const report = concatBytes(
    utf8('HCLA'),
    u32(kind === 'snp' ? 1 : 2),
    u32(32 + hardwareSize + 20 + runtimeData.length),
    u32(2),
    new Uint8Array(16),
    hardware,
    u32(20 + runtimeData.length),
    u32(1),
    u32(faults.reportType ?? reportTypes[kind]),
    u32(faults.hashType ?? hashTypes[hash]),
    u32(runtimeData.length),
    runtimeData,
    new Uint8Array(64),
  );
  return report.subarray(0, report.length - (faults.cut ?? 0));
}
