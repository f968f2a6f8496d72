import { toHex } from '@ensconce/base/bytes';
import type { Random } from '../store/record-cipher.ts';

/** Random bytes of a request's id. */
export const requestIdSize = 8;

/** A name for one request or attestation, for finding it in the log: 16 hex digits, never the caller's choice. */
export const newRequestId = (random: Random): string => toHex(random(requestIdSize));

/** What a caller calls its own request, where it is short and plain enough to be logged. */
export function callersRequestId(header: string | undefined): string | undefined {
  return header !== undefined && /^[A-Za-z0-9._-]{1,64}$/.test(header) ? header : undefined;
}
