import { EnsconceError } from '@ensconce/base/errors';

export type ApiErrorCode =
  | 'API_ADDRESS'
  | 'API_UNREACHABLE'
  | 'API_ANSWER'
  | 'API_OTHER_CAS'
  | 'API_REFUSED'
  | 'API_EVIDENCE';

/** A call to CAS that did not give what was asked for. */
export class ApiError extends EnsconceError<ApiErrorCode> {}

/** CAS answered, and said no. Its words come over the network: printable, but nobody's promise. */
export class RefusedByCas extends ApiError {
  /** HTTP status. */
  readonly status: number;
  /** CAS's own stable code. */
  readonly reason: string;
  /** Whether the same request may succeed later. */
  readonly retry: boolean;

  constructor(status: number, body: ErrorBody) {
    super('API_REFUSED', body.msg[0] ?? `CAS answered with status ${status}`, {
      cause: chainOf(body.msg.slice(1)),
      hint: body.hint,
    });
    this.status = status;
    this.reason = body.code;
    this.retry = body.retry;
  }
}

interface ErrorBody {
  readonly msg: readonly string[];
  readonly code: string;
  readonly hint?: string | undefined;
  readonly retry: boolean;
}

/** A cause chain again out of the messages that stood for one. */
function chainOf(messages: readonly string[]): Error | undefined {
  const [first, ...rest] = messages;
  if (first === undefined) return undefined;
  const cause = chainOf(rest);
  return cause === undefined ? new Error(first) : new Error(first, { cause });
}
