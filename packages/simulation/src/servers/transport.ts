import type { Transport } from '@ensconce/collateral/transport';
import type { Handler } from './answer.ts';

/** Answers requests by a handler in this process, whatever host they name. */
export function handlerTransport(handler: Handler): Transport {
  return async (url) => {
    const { pathname, search } = new URL(url);
    const { status, headers, body } = await handler(`${pathname}${search}`);
    const lower = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const);
    return { status, headers: Object.fromEntries(lower), body };
  };
}
