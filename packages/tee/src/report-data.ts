import { equalBytes } from '@ensconce/base/bytes';
import { EvidenceError } from '@ensconce/evidence/errors';
import { TeeError } from './errors.ts';

/**
 * Makes sure that evidence is of the format it should be and about the report data asked for, so that a mix-up shows
 * here, with a reason, and not as a refusal far away. It proves nothing: that is for the verifier.
 */
export function checkEvidence(
  what: string,
  reportDataOf: () => Uint8Array,
  reportData: Uint8Array,
  hint?: string,
): void {
  let found: Uint8Array;
  try {
    found = reportDataOf();
  } catch (cause) {
    if (!(cause instanceof EvidenceError)) throw cause;
    throw new TeeError('TEE_FORMAT', `${what} expected, other bytes found`, { cause, hint });
  }
  if (!equalBytes(found, reportData))
    throw new TeeError(
      'TEE_REPORT_DATA',
      `${what} over the report data asked for expected, one over other data found`,
    );
}
