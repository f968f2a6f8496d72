import { EnsconceError } from '@ensconce/base/errors';

export type SecretsErrorCode =
  /** A stored state that this version cannot read. */
  | 'SECRETS_STATE'
  /** A given value that its kind cannot take. */
  | 'SECRETS_VALUE'
  /** A kind or parameter that is not implemented. */
  | 'SECRETS_UNSUPPORTED'
  /** A format that the kind does not have, or a secret that is not there. */
  | 'SECRETS_FORMAT'
  /** An import that is not allowed or cannot be resolved. */
  | 'SECRETS_IMPORT'
  /** An import that cannot be had now: another CAS or a vault does not answer. The same may succeed later. */
  | 'SECRETS_UNAVAILABLE';

export class SecretsError extends EnsconceError<SecretsErrorCode> {}
