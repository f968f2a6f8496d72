import { parseSnpReport, reportSize } from './quote.ts';
import type { Format } from '../format.ts';

/** Version, and behind VMPL (a byte in practice) the signature algorithm. */
function isSnp(bytes: Uint8Array): boolean {
  if (bytes.length < reportSize) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return view.getUint32(0, true) <= 16 && view.getUint32(0x30, true) <= 3 && view.getUint32(0x34, true) <= 16;
}

export const snpFormat: Format = {
  name: 'snp',
  recognises: isSnp,
  fields: (bytes) => parseSnpReport(bytes, 'ignore'),
};
