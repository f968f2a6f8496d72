import { performance } from 'node:perf_hooks';
import type { IncomingMessage } from 'node:http';
import type { MiddlewareHandler } from 'hono';
import type { HttpBindings } from '@hono/node-server';
import type { Logger } from 'pino';
import type { Random } from '../store/record-cipher.ts';
import { callersRequestId, newRequestId } from './request-id.ts';
import type { Observer } from './observer.ts';

/** What handlers of requests find in their context. */
export interface RequestVariables {
  requestId: string;
}

interface Options {
  readonly observer: Observer;
  readonly random: Random;
  readonly log: Logger;
  /** The row of the table of routes that a request is for. */
  readonly routeOf: (incoming: IncomingMessage) => string | undefined;
}

/** Gives each request an id, which the answer has as `X-Request-Id`, and tells log, metrics and traces what became of it. */
export function observedRequests({
  observer,
  random,
  log,
  routeOf,
}: Options): MiddlewareHandler<{ Bindings: HttpBindings; Variables: RequestVariables }> {
  const { metrics, tracing } = observer;
  return async (c, next) => {
    const began = performance.now();
    const requestId = newRequestId(random);
    const route = routeOf(c.env.incoming) ?? 'none';
    const trace = tracing.begin('request', { request: requestId, route });
    c.set('requestId', requestId);
    c.header('x-request-id', requestId);
    await trace.step('answer', () => next());
    const { status } = c.res;
    const milliseconds = performance.now() - began;
    metrics.answered(route, status, milliseconds);
    trace.end({ status }, status >= 500 ? String(status) : undefined);
    const callers = callersRequestId(c.req.header('x-request-id'));
    log.info(
      {
        request: requestId,
        route,
        status,
        milliseconds: Math.round(milliseconds),
        ...(callers === undefined ? {} : { callersRequest: callers }),
      },
      'request answered',
    );
  };
}
