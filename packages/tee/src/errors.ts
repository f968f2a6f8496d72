import { EnsconceError } from '@ensconce/base/errors';

export type TeeErrorCode =
  /** The kernel offers no such interface here. */
  | 'TEE_ABSENT'
  /** The interface answered, but not as its specification says. */
  | 'TEE_UNEXPECTED'
  /** Others used the interface at the same time, again and again, or the hardware is busy. */
  | 'TEE_BUSY';

/** Evidence that could not be had from the hardware. */
export class TeeError extends EnsconceError<TeeErrorCode> {}
