import { causeChain, EnsconceError, hintOf } from '@ensconce/base/errors';

/** Append-only: codes appear in answers, in the audit log and in other people's scripts. */
export type CasErrorCode =
  | 'CAS_STATE_LOCKED'
  | 'CAS_STATE_CORRUPT'
  | 'CAS_STATE_ROLLED_BACK'
  | 'CAS_STATE_KEY'
  | 'CAS_STATE_WRITE'
  | 'CAS_AUDIT_CORRUPT'
  | 'CAS_AUDIT_WRITE'
  | 'CAS_PORT'
  | 'CAS_REQUEST_INVALID'
  | 'CAS_REQUEST_TOO_LARGE'
  | 'CAS_RATE_LIMITED'
  | 'CAS_BUSY'
  | 'CAS_IDENTITY_REQUIRED'
  | 'CAS_SESSION_INVALID'
  | 'CAS_SESSION_NOT_FOUND'
  | 'CAS_SESSION_FORBIDDEN'
  | 'CAS_SESSION_EXISTS'
  | 'CAS_PREDECESSOR_MISMATCH'
  | 'CAS_VALUE_NOT_FOUND'
  | 'CAS_ROUTE_NOT_FOUND'
  | 'CAS_EVIDENCE_UNAVAILABLE'
  | 'CAS_EVIDENCE_REFUSED'
  | 'CAS_EVIDENCE_UNDECIDED'
  | 'CAS_BINDING_MISMATCH'
  | 'CAS_SERVICE_REFUSED'
  | 'CAS_SERVICE_UNSUPPORTED'
  | 'CAS_PROTOCOL'
  | 'CAS_INTERNAL'
  | 'CAS_IMPORT_UNAVAILABLE';

/** An error of CAS itself, or of a request to it. */
export class CasError extends EnsconceError<CasErrorCode> {}

interface PublicForm {
  /** HTTP status on the client port. */
  readonly status: 400 | 401 | 403 | 404 | 409 | 413 | 422 | 429 | 500 | 503;
  /** Whether the same request may succeed later. */
  readonly retry: boolean;
}

/** How each error that can leave CAS looks from outside. What is not here is an internal error and keeps its reasons to the log. */
const publicForms: { readonly [Code in CasErrorCode]?: PublicForm } = {
  CAS_REQUEST_INVALID: { status: 400, retry: false },
  CAS_REQUEST_TOO_LARGE: { status: 413, retry: false },
  CAS_RATE_LIMITED: { status: 429, retry: true },
  CAS_BUSY: { status: 503, retry: true },
  CAS_IDENTITY_REQUIRED: { status: 401, retry: false },
  CAS_SESSION_INVALID: { status: 422, retry: false },
  CAS_SESSION_NOT_FOUND: { status: 404, retry: false },
  CAS_SESSION_FORBIDDEN: { status: 403, retry: false },
  CAS_SESSION_EXISTS: { status: 409, retry: false },
  CAS_PREDECESSOR_MISMATCH: { status: 409, retry: false },
  CAS_VALUE_NOT_FOUND: { status: 404, retry: false },
  CAS_ROUTE_NOT_FOUND: { status: 404, retry: false },
  CAS_EVIDENCE_UNAVAILABLE: { status: 503, retry: true },
  CAS_EVIDENCE_REFUSED: { status: 403, retry: false },
  CAS_EVIDENCE_UNDECIDED: { status: 503, retry: true },
  CAS_BINDING_MISMATCH: { status: 403, retry: false },
  CAS_SERVICE_REFUSED: { status: 403, retry: false },
  CAS_SERVICE_UNSUPPORTED: { status: 422, retry: false },
  CAS_IMPORT_UNAVAILABLE: { status: 503, retry: true },
  CAS_PROTOCOL: { status: 400, retry: false },
  CAS_AUDIT_WRITE: { status: 503, retry: true },
  CAS_STATE_WRITE: { status: 503, retry: true },
};

/** Messages may quote what a stranger sent, so they are bounded where they leave. */
const longestChain = 32;
const longestMessage = 1000;

/** What a client or service is told about an error. */
export interface PublicError extends PublicForm {
  readonly msg: string[];
  readonly code: CasErrorCode;
  readonly hint: string | undefined;
}

/**
 * The outside form of any error. Only the chain of a `CasError` with a public form goes out; everything else says
 * nothing but that it is internal, because its messages were not written with strangers in mind.
 */
export function publicError(error: unknown): PublicError {
  const form = error instanceof CasError ? publicForms[error.code] : undefined;
  if (!(error instanceof CasError) || form === undefined) {
    return {
      status: 500,
      retry: false,
      msg: ['internal error: the log of CAS has the reason'],
      code: 'CAS_INTERNAL',
      hint: undefined,
    };
  }
  if (error.code === 'CAS_STATE_WRITE' || error.code === 'CAS_AUDIT_WRITE') {
    return { ...form, msg: [error.message], code: error.code, hint: error.hint };
  }
  const msg = causeChain(error)
    .slice(0, longestChain)
    .map((message) => message.slice(0, longestMessage));
  return { ...form, msg, code: error.code, hint: hintOf(error)?.slice(0, longestMessage) };
}
