import { EnsconceError } from '@ensconce/base/errors';

export type LasErrorCode = 'LAS_SOCKET' | 'LAS_PEER' | 'LAS_NOT_MEASURABLE' | 'LAS_REQUEST';

/** Why the LAS does not start, or makes no evidence for a process. */
export class LasError extends EnsconceError<LasErrorCode> {}
