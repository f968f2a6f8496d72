import { EnsconceError } from '@ensconce/base/errors';

export type CliErrorCode =
  | 'CLI_USAGE'
  | 'CLI_FILE'
  | 'CLI_STATE'
  | 'CLI_SESSION'
  | 'CLI_CAS_NOT_ATTESTED'
  | 'CLI_CAS_UNTRUSTED'
  | 'CLI_INTERRUPTED'
  | 'CLI_AUDIT_LOG_CUT'
  | 'CLI_AUDIT_LOG_OTHER_CAS'
  | 'CLI_AUDIT_LOG_BROKEN';

/** An error of the command line itself. */
export class CliError extends EnsconceError<CliErrorCode> {}
