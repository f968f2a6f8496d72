import type { ErrorBody } from '@ensconce/api/schema';
import type { PublicError } from '../errors.ts';

/** The body of every answer that is not 2xx. */
export function errorBody({ msg, code, retry, hint }: PublicError): ErrorBody {
  return { msg, code, retry, ...(hint === undefined ? {} : { hint }) };
}
