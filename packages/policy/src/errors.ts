import { EnsconceError, type ErrorDetails } from '@ensconce/base/errors';
import type { Problem } from './problem.ts';

export type PolicyErrorCode =
  /** The text is not a session; `problems` says why. */
  | 'POLICY_INVALID'
  /** The session has no service of that name. */
  | 'POLICY_UNKNOWN_SERVICE'
  /** A `$$SCONE::…$$` reference names a secret that is not there. */
  | 'POLICY_UNKNOWN_SECRET'
  /** A `$$SCONE::…$$` reference that cannot be read. */
  | 'POLICY_REFERENCE'
  /** A value that is not allowed where it is to be put (a NUL in an argument). */
  | 'POLICY_VALUE'
  /** Host arguments do not fit the command's `@@N`. */
  | 'POLICY_HOST_ARGUMENT'
  /** A key or certificate that cannot be read. */
  | 'POLICY_KEY'
  /** A signature that is not one over this session. */
  | 'POLICY_SIGNATURE';

export class PolicyError extends EnsconceError<PolicyErrorCode> {
  /** Everything found wrong with a session text; empty for other errors. */
  readonly problems: readonly Problem[];

  constructor(
    code: PolicyErrorCode,
    message: string,
    details: ErrorDetails & { readonly problems?: readonly Problem[] } = {},
  ) {
    super(code, message, details);
    this.problems = details.problems ?? [];
  }
}
