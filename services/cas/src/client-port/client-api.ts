import { setTimeout as sleep } from 'node:timers/promises';
import type { HttpBindings } from '@hono/node-server';
import { Hono, type Context } from 'hono';
import type { Logger } from 'pino';
import { CasError, publicError, type CasErrorCode } from '../errors.ts';
import { addressOf, callerOf } from './client-of.ts';
import { dispatch, methodsOf, routeOf, targetOf } from './dispatch.ts';
import { errorBody } from './error-body.ts';
import { handlers, type HandlerContext } from './handlers.ts';
import { observedRequests, type RequestVariables } from '../observe/observed-requests.ts';
import type { Observer } from '../observe/observer.ts';
import type { RateLimit } from './rate-limit.ts';
import type { UnreadableRequests } from './unreadable-requests.ts';
import { Uploads } from './uploads.ts';

export interface ClientApiContext extends HandlerContext {
  readonly rateLimit: RateLimit;
  /** Identities cost nothing, so what one address may ask for is bounded too. */
  readonly addressLimit: RateLimit;
  readonly unreadable: UnreadableRequests;
  readonly log: Logger;
  readonly observer: Observer;
}

type Bindings = { Bindings: HttpBindings; Variables: RequestVariables };

/** What port 8081 answers (docs/protocol/client-api.md); the routes are rows of `@ensconce/api/routes`. */
export function clientApi(context: ClientApiContext): Hono<Bindings> {
  const api = new Hono<Bindings>();
  const answering = handlers(context);
  const uploads = new Uploads({ total: 64 * 1_048_576, each: 8 * 1_048_576 });

  const began = new WeakMap<Request, number>();
  api.onError(async (error, c) => {
    if (error instanceof CasError && hiding.has(error.code)) {
      await untilTick(began.get(c.req.raw) ?? 0, context.now().getTime());
    }
    return answerError(context, c, error);
  });
  api.use(observedRequests({ ...context, routeOf }));
  api.use(async (c, next) => {
    c.header('cache-control', 'no-store');
    const now = context.now().getTime();
    began.set(c.req.raw, now);
    const wait = Math.max(
      context.addressLimit.take(addressOf(c.env.incoming), now),
      context.rateLimit.take(callerOf(c.env.incoming), now),
    );
    if (wait > 0) {
      c.header('retry-after', String(wait));
      throw new CasError('CAS_RATE_LIMITED', 'request: fewer requests expected, too many found', {
        hint: `wait ${wait} s, then try again`,
      });
    }
    await next();
  });
  api.all('*', async (c) => {
    const { path } = targetOf(c.env.incoming);
    if (c.req.header('origin') !== undefined) {
      throw new CasError('CAS_REQUEST_INVALID', 'request: none of a web page expected, an Origin found', {
        hint: 'a page would act with the certificate of whoever looks at it',
      });
    }
    if (c.req.method === 'OPTIONS' && methodsOf(path).length > 0) {
      return c.body(null, 204, { allow: methodsOf(path).join(', ') });
    }
    const { status, body, etag } = await dispatch(answering, c.req.raw, c.env.incoming, {
      uploads,
      clients: context.clients,
      unreadable: context.unreadable,
    });
    if (etag !== undefined) c.header('etag', `"${etag}"`);
    return c.json(body as never, status as 200 | 201);
  });
  return api;
}

/** Refusals that look the same for what is not there and what is not theirs. */
const hiding: ReadonlySet<CasErrorCode> = new Set([
  'CAS_SESSION_NOT_FOUND',
  'CAS_SESSION_FORBIDDEN',
  'CAS_VALUE_NOT_FOUND',
]);
const tick = 10;

/** Waits until the next multiple of {@link tick} milliseconds: to find a session takes longer than to find none. */
function untilTick(from: number, now: number): Promise<void> {
  return sleep(tick - (Math.max(0, now - from) % tick));
}

function answerError(context: ClientApiContext, c: Context<Bindings>, error: unknown): Response {
  const shown = publicError(error);
  if (shown.status >= 500) {
    context.log.error(
      { err: error, request: c.get('requestId'), method: c.req.method, path: c.req.path },
      'request failed',
    );
  }
  if (shown.code === 'CAS_METHOD_NOT_ALLOWED') {
    c.header('allow', methodsOf(targetOf(c.env.incoming).path).join(', '));
  }
  if (shown.status === 503) c.header('retry-after', '1');
  if (shown.status === 408) c.header('retry-after', '1');
  return c.json(errorBody(shown), shown.status);
}
