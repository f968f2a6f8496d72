import type { HttpBindings } from '@hono/node-server';
import { Hono, type Context } from 'hono';
import type { Logger } from 'pino';
import type { ErrorBody } from '@ensconce/api/schema';
import { CasError, publicError } from '../errors.ts';
import { callerOf } from './client-of.ts';
import { dispatch, methodsOf } from './dispatch.ts';
import { handlers, type HandlerContext } from './handlers.ts';
import type { RateLimit } from './rate-limit.ts';
import { Uploads } from './uploads.ts';

export interface ClientApiContext extends HandlerContext {
  readonly rateLimit: RateLimit;
  readonly log: Logger;
}

type Bindings = { Bindings: HttpBindings };

/** What port 8081 answers (docs/protocol/client-api.md); the routes are rows of `@ensconce/api/routes`. */
export function clientApi(context: ClientApiContext): Hono<Bindings> {
  const api = new Hono<Bindings>();
  const answering = handlers(context);
  const uploads = new Uploads({ total: 64 * 1_048_576, each: 8 * 1_048_576 });

  api.onError((error, c) => answerError(context, c, error));
  api.use(async (c, next) => {
    const wait = context.rateLimit.take(callerOf(c.env.incoming), context.now().getTime());
    if (wait > 0) {
      c.header('retry-after', String(wait));
      throw new CasError('CAS_RATE_LIMITED', 'request: fewer requests expected, too many found', {
        hint: `wait ${wait} s, then try again`,
      });
    }
    await next();
    c.header('cache-control', 'no-store');
  });
  api.all('*', async (c) => {
    const path = new URL(c.req.url).pathname;
    if (c.req.header('origin') !== undefined) {
      throw new CasError('CAS_REQUEST_INVALID', 'request: none of a web page expected, an Origin found', {
        hint: 'a page would act with the certificate of whoever looks at it',
      });
    }
    if (c.req.method === 'OPTIONS' && methodsOf(path).length > 0) {
      return c.body(null, 204, { allow: methodsOf(path).join(', ') });
    }
    const { status, body, etag } = await dispatch(answering, c.req.raw, c.env.incoming, uploads);
    if (etag !== undefined) c.header('etag', `"${etag}"`);
    return c.json(body as never, status as 200 | 201);
  });
  return api;
}

function answerError(context: ClientApiContext, c: Context<Bindings>, error: unknown): Response {
  const shown = publicError(error);
  if (shown.status >= 500) {
    context.log.error({ err: error, method: c.req.method, path: c.req.path }, 'request failed');
  }
  if (shown.code === 'CAS_METHOD_NOT_ALLOWED') {
    c.header('allow', methodsOf(new URL(c.req.url).pathname).join(', '));
  }
  if (shown.status === 503) c.header('retry-after', '1');
  // What is left of a body that was too long is not waited for.
  if (shown.status === 413) c.header('connection', 'close');
  const body: ErrorBody = {
    msg: shown.msg,
    code: shown.code,
    retry: shown.retry,
    ...(shown.hint === undefined ? {} : { hint: shown.hint }),
  };
  return c.json(body, shown.status);
}
