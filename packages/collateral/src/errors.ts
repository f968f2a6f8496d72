import { EnsconceError } from '@ensconce/base/errors';

export type CollateralErrorCode =
  /** The vendor's server could not be reached, or answered with an error. */
  | 'COLLATERAL_FETCH'
  /** The server has nothing for this platform. */
  | 'COLLATERAL_UNKNOWN'
  /** An answer that is not what the server should give. */
  | 'COLLATERAL_RESPONSE'
  /** Collateral older than what was seen before: somebody holds newer collateral back. */
  | 'COLLATERAL_ROLLED_BACK'
  /** The folder of the cache cannot be read or written. */
  | 'COLLATERAL_DISK'
  /** A bundle file that is none. */
  | 'COLLATERAL_BUNDLE';

export class CollateralError extends EnsconceError<CollateralErrorCode> {}
