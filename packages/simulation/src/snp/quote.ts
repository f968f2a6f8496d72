import { concatBytes } from '@ensconce/base/bytes';
import { reportSize } from '@ensconce/evidence/snp/quote';
import { generateEcKey, signRaw } from '../key.ts';
import { encodeSnpBody, type SnpReportFields } from './body.ts';
import { u32 } from '../integers.ts';
import type { AmdAuthority } from '../amd/authority.ts';
import type { SimulatedChip } from '../amd/chip.ts';

/** What is wrong with a report; every field breaks one thing that a verifier must notice. */
export interface ReportFaults {
  /** The signature is by another key. */
  readonly wrongSignature?: boolean;
  /** The firmware was told not to sign (MASK_CHIP_KEY). */
  readonly unsigned?: boolean;
  readonly padding?: number;
  readonly cut?: number;
}

/** A scalar of 48 big-endian bytes as 72 little-endian ones. */
function littleEndian(scalar: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(72);
  bytes.set(scalar.toReversed());
  return bytes;
}

/** An attestation report of 1184 bytes, signed by the chip's key. */
export function makeSnpReport(
  chip: SimulatedChip,
  fields: SnpReportFields,
  faults: ReportFaults = {},
): Uint8Array {
  const body = encodeSnpBody(chip, fields);
  const report = new Uint8Array(reportSize + (faults.padding ?? 0));
  if (faults.unsigned === true) {
    new DataView(body.buffer).setUint32(0x48, 2 | (7 << 2), true);
    report.set(body);
  } else {
    const key = faults.wrongSignature === true ? generateEcKey('P-384') : chip.vek.key;
    const signature = signRaw(key, 'sha384', body);
    report.set(
      concatBytes(body, littleEndian(signature.subarray(0, 48)), littleEndian(signature.subarray(48))),
    );
  }
  return report.subarray(0, report.length - (faults.cut ?? 0));
}

const guids = {
  VCEK: '8d755d6364e66445adc5f4b93be8accd',
  VLEK: '5ac24aa88aa23e48aae639c045a0b8a1',
  ASK: '79b3b74aacbbe44fa02f05aef327c782',
  ARK: 'a406b4c003a8524997433fb6014cd0ae',
} as const;

/** The table of certificates that a host hands to its guests beside a report (GHCB specification §4.1.8.1). */
export function makeCertificateTable(chip: SimulatedChip, authority: AmdAuthority): Uint8Array {
  const entries: [keyof typeof guids, Uint8Array][] = [
    [chip.kind, chip.vek.certificate],
    ['ASK', (chip.kind === 'VCEK' ? authority.ask : authority.asvk).certificate],
    ['ARK', authority.ark.certificate],
  ];
  const headSize = 24 * (entries.length + 1);
  const head: Uint8Array[] = [];
  let offset = headSize;
  for (const [kind, der] of entries) {
    head.push(Uint8Array.fromHex(guids[kind]), u32(offset), u32(der.length));
    offset += der.length;
  }
  return concatBytes(...head, new Uint8Array(24), ...entries.map(([, der]) => der));
}
