import { quoteTee } from './intel/body.ts';
import { reportSize } from './snp/quote.ts';

export type EvidenceFormat = 'sgx' | 'tdx' | 'snp';

function isSnp(bytes: Uint8Array): boolean {
  if (bytes.length < reportSize) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // Version, and behind VMPL (a byte in practice) the signature algorithm.
  return view.getUint32(0, true) <= 16 && view.getUint32(0x30, true) <= 3 && view.getUint32(0x34, true) <= 16;
}

/** What attacker-controlled bytes seem to be, by their first fields; undefined for anything else. Parsing decides. */
export function detectEvidence(bytes: Uint8Array): EvidenceFormat | undefined {
  return quoteTee(bytes) ?? (isSnp(bytes) ? 'snp' : undefined);
}
