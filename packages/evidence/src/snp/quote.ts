import { isZero } from '@ensconce/base/bytes';
import { EvidenceError, reading } from '../errors.ts';
import { bodySize, parseSnpBody, type SnpBody } from './body.ts';
import type { Trailing } from '../intel/authentication.ts';

/** An SEV-SNP attestation report with its signature. */
export interface SnpReport {
  readonly tee: 'snp';
  readonly body: SnpBody;
  /** The first 672 bytes: what is signed. */
  readonly signed: Uint8Array;
  /** r‖s, big-endian, 96 bytes. */
  readonly signature: Uint8Array;
}

export const reportSize = 0x4a0;
const partSize = 72;
const scalarSize = 48;

/** A little-endian scalar of 72 bytes as 48 big-endian ones. */
function scalar(bytes: Uint8Array): Uint8Array {
  if (!isZero(bytes.subarray(scalarSize))) {
    throw new EvidenceError(
      'EVIDENCE_STRUCTURE',
      'SNP report: signature scalars of 48 bytes expected, longer ones found',
    );
  }
  // A copy: the input belongs to the caller.
  return Uint8Array.from(bytes.subarray(0, scalarSize)).toReversed();
}

/** Parses an attacker-controlled report of 1184 bytes; throws `EvidenceError`. */
export function parseSnpReport(bytes: Uint8Array, trailing: Trailing = 'refuse'): SnpReport {
  if (bytes.length < reportSize || (trailing === 'refuse' && bytes.length !== reportSize)) {
    throw new EvidenceError(
      'EVIDENCE_SIZE',
      `SNP report: ${reportSize} bytes expected, ${bytes.length} found`,
    );
  }
  return reading(() => {
    const signed = bytes.subarray(0, bodySize);
    const signature = new Uint8Array(2 * scalarSize);
    signature.set(scalar(bytes.subarray(bodySize, bodySize + partSize)));
    signature.set(scalar(bytes.subarray(bodySize + partSize, bodySize + 2 * partSize)), scalarSize);
    return { tee: 'snp', body: parseSnpBody(signed), signed, signature };
  });
}
