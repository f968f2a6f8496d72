import { EnsconceError } from '@ensconce/base/errors';

export type VerifyErrorCode =
  /** Collateral that is not in the form its vendor publishes. */
  | 'VERIFY_COLLATERAL'
  /** A policy that would accept what nobody pinned. */
  | 'VERIFY_POLICY';

export class VerifyError extends EnsconceError<VerifyErrorCode> {}
