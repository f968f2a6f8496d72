import { EnsconceError } from '@ensconce/base/errors';

export type CliErrorCode =
  | 'CLI_USAGE'
  | 'CLI_FILE'
  | 'CLI_STATE'
  | 'CLI_SESSION'
  | 'CLI_CAS_NOT_ATTESTED'
  | 'CLI_CAS_UNTRUSTED'
  | 'CLI_INTERRUPTED'
  | 'CLI_AUDIT_LOG_COMMIT_LOST'
  | 'CLI_AUDIT_LOG_CUT_AT_END'
  | 'CLI_AUDIT_LOG_CUT_AT_START'
  | 'CLI_AUDIT_LOG_END_UNKNOWN'
  | 'CLI_AUDIT_LOG_MISSING'
  | 'CLI_AUDIT_LOG_ROLLED_BACK'
  | 'CLI_AUDIT_LOG_OTHER_CAS'
  | 'CLI_AUDIT_LOG_BROKEN';

/** An error of the command line itself. */
export class CliError extends EnsconceError<CliErrorCode> {}
