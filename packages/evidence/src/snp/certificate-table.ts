import { ByteReader, isZero, toHex } from '@ensconce/base/bytes';
import { EvidenceError, reading } from '../errors.ts';

/** The kinds of certificates that a host hands to its guests, by GUID (GHCB specification §4.1.8.1). */
const guids: Readonly<Record<string, CertificateKind>> = {
  '63da758de6644564adc5f4b93be8accd': 'VCEK',
  a8074bc2a25a483eaae639c045a0b8a1: 'VLEK',
  '4ab7b379bbac4fe4a02f05aef327c782': 'ASK',
  c0b406a4a803495297433fb6014cd0ae: 'ARK',
};
export type CertificateKind = 'VCEK' | 'VLEK' | 'ASK' | 'ARK';

export interface TableEntry {
  /** Undefined for GUIDs that are not known (a host's own). */
  readonly kind: CertificateKind | undefined;
  readonly guid: string;
  readonly data: Uint8Array;
}

const entrySize = 24;
const entryLimit = 64;
const tableLimit = 1024 * 1024;

/** A GUID's mixed-endian bytes in the order in which it is written. */
function guidHex(bytes: Uint8Array): string {
  const order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
  return toHex(Uint8Array.from(order, (index) => bytes[index] ?? 0));
}

/** Parses the attacker-controlled table that a host puts beside a report (configfs-tsm `auxblob`). Entries end with one of zeros. */
export function parseCertificateTable(bytes: Uint8Array): TableEntry[] {
  if (bytes.length > tableLimit) {
    throw new EvidenceError(
      'EVIDENCE_SIZE',
      `certificate table: at most ${tableLimit} bytes expected, ${bytes.length} found`,
    );
  }
  return reading(() => {
    const reader = new ByteReader(bytes, 'certificate table');
    const entries: TableEntry[] = [];
    while (reader.remaining >= entrySize) {
      const raw = reader.bytes(16, 'GUID');
      const offset = reader.u32('offset');
      const length = reader.u32('length');
      if (isZero(raw) && offset === 0 && length === 0) return entries;
      if (entries.length === entryLimit)
        throw new EvidenceError(
          'EVIDENCE_SIZE',
          `certificate table: at most ${entryLimit} entries expected, more found`,
        );
      if (offset + length > bytes.length) {
        throw new EvidenceError(
          'EVIDENCE_STRUCTURE',
          `certificate table: data within ${bytes.length} bytes expected, an end at ${offset + length} found`,
        );
      }
      const guid = guidHex(raw);
      entries.push({
        kind: Object.hasOwn(guids, guid) ? guids[guid] : undefined,
        guid,
        data: bytes.subarray(offset, offset + length),
      });
    }
    throw new EvidenceError(
      'EVIDENCE_STRUCTURE',
      'certificate table: an entry of zeros at its end expected, none found',
    );
  });
}
