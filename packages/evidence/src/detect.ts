import { isAzureEvidence } from './azure/envelope.ts';
import { isHclReport } from './azure/quote.ts';
import { quoteTee } from './intel/body.ts';
import { reportSize } from './snp/quote.ts';
import { isTpmEvidence } from './tpm/envelope.ts';

/** By its outer form; Azure's holds an SNP report or a TDX quote. */
export type EvidenceFormat = 'sgx' | 'tdx' | 'snp' | 'nitro' | 'azure' | 'tpm';

function isSnp(bytes: Uint8Array): boolean {
  if (bytes.length < reportSize) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // Version, and behind VMPL (a byte in practice) the signature algorithm.
  return view.getUint32(0, true) <= 16 && view.getUint32(0x30, true) <= 3 && view.getUint32(0x34, true) <= 16;
}

/** An array of four, with or without tag 18, that begins with a short byte string. */
function isCoseSign1(bytes: Uint8Array): boolean {
  const at = bytes[0] === 0xd2 ? 1 : 0;
  return bytes[at] === 0x84 && ((bytes[at + 1] ?? 0) & 0xe0) === 0x40;
}

/** What attacker-controlled bytes seem to be, by their first fields; undefined for anything else. Parsing decides. */
export function detectEvidence(bytes: Uint8Array): EvidenceFormat | undefined {
  if (isHclReport(bytes) || isAzureEvidence(bytes)) return 'azure';
  if (isTpmEvidence(bytes)) return 'tpm';
  if (isCoseSign1(bytes)) return 'nitro';
  return quoteTee(bytes) ?? (isSnp(bytes) ? 'snp' : undefined);
}
