import { publicForms, type PublicCode, type PublicForm } from '@ensconce/api/codes';
import { causeChain, EnsconceError, hintOf } from '@ensconce/base/errors';

/** Those that leave CAS stand in the table of the API; the others keep their reasons to the log. */
export type CasErrorCode =
  | PublicCode
  | 'CAS_STATE_LOCKED'
  | 'CAS_STATE_CORRUPT'
  | 'CAS_STATE_ROLLED_BACK'
  | 'CAS_STATE_KEY'
  | 'CAS_AUDIT_CORRUPT'
  | 'CAS_AUDIT_FORMAT'
  | 'CAS_CONFIGURATION'
  | 'CAS_PORT';

/** An error of CAS itself, or of a request to it. */
export class CasError extends EnsconceError<CasErrorCode> {}

/** Messages may quote what a stranger sent, so they are bounded where they leave. */
const longestChain = 32;
const longestMessage = 1000;

function formOf(code: CasErrorCode): Pick<PublicForm, 'status' | 'retry'> | undefined {
  const form = (publicForms as Readonly<Partial<Record<CasErrorCode, PublicForm>>>)[code];
  return form === undefined ? undefined : { status: form.status, retry: form.retry };
}

/** What a client or service is told about an error. */
export interface PublicError extends Pick<PublicForm, 'status' | 'retry'> {
  readonly msg: string[];
  readonly code: CasErrorCode;
  readonly hint: string | undefined;
}

/**
 * The outside form of any error. Only the chain of a `CasError` with a public form goes out; everything else says
 * nothing but that it is internal, because its messages were not written with strangers in mind.
 */
export function publicError(error: unknown): PublicError {
  const form = error instanceof CasError ? formOf(error.code) : undefined;
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
