import type { TLSSocket } from 'node:tls';
import type { HttpBindings } from '@hono/node-server';
import { Hono, type Context } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { Logger } from 'pino';
import { requestLimit, type ErrorBody, type SessionWritten, type VersionAnswer } from '@ensconce/api/schema';
import { fromUtf8 } from '@ensconce/base/bytes';
import { exporterLabel, exporterSize } from '@ensconce/wire/binding';
import { CasError, publicError } from '../errors.ts';
import { serveExports } from '../federation/serve-exports.ts';
import { readSession } from '../sessions/read-session.ts';
import type { SecretValues } from '../sessions/secret-values.ts';
import type { StoredVersion } from '../sessions/session-record.ts';
import { writeSession, type WriteContext } from '../sessions/write-session.ts';
import { readPublicValue, readPublicValues } from '../sessions/read-value.ts';
import { Gate } from '../state/gate.ts';
import type { Serial } from '../state/serial.ts';
import { callerOf, clientOf } from './client-of.ts';
import type { OwnEvidence } from './own-evidence.ts';
import type { RateLimit } from './rate-limit.ts';

export interface ClientApiContext extends WriteContext {
  readonly writes: Serial;
  readonly values: SecretValues;
  readonly ownEvidence: OwnEvidence;
  readonly rateLimit: RateLimit;
  readonly version: () => VersionAnswer;
  readonly log: Logger;
}

type Bindings = { Bindings: HttpBindings };

/** The routes of port 8081 (docs/protocol/client-api.md). */
export function clientApi(context: ClientApiContext): Hono<Bindings> {
  const { state, sessions } = context;
  const api = new Hono<Bindings>({ strict: true });

  api.onError((error, c) => answerError(context, c, error));
  api.notFound((c) =>
    answerError(
      context,
      c,
      new CasError('CAS_ROUTE_NOT_FOUND', `${c.req.method} ${c.req.path.slice(0, 200)}: no such route`),
    ),
  );
  api.use(async (c, next) => {
    if (!context.rateLimit.take(callerOf(c.env.incoming), context.now().getTime())) {
      throw new CasError('CAS_RATE_LIMITED', 'request: fewer requests expected, too many found', {
        hint: 'wait a second, then try again',
      });
    }
    await next();
    c.header('cache-control', 'no-store');
  });
  api.use(
    bodyLimit({
      maxSize: requestLimit,
      onError: () => {
        throw new CasError(
          'CAS_REQUEST_TOO_LARGE',
          `request: a body of at most ${requestLimit} bytes expected`,
        );
      },
    }),
  );

  api.get('/v1/version', (c) => c.json(context.version()));

  api.post('/v1/attest', async (c) => {
    const socket = c.env.incoming.socket as TLSSocket;
    const exporter = socket.exportKeyingMaterial(exporterSize, exporterLabel, Buffer.alloc(0));
    return c.json(await context.ownEvidence(await c.req.text(), exporter));
  });

  // Bounds the memory of bodies that are being read.
  const uploads = new Gate({ running: 64, waiting: 1024 });
  const write = (c: Context<Bindings>, name?: string): Promise<StoredVersion> =>
    uploads.run(async () => {
      const text = await bodyText(c);
      const identity = clientOf(c.env.incoming);
      return context.writes.run(() =>
        writeSession(context, { text, identity, ...(name === undefined ? {} : { name }) }),
      );
    });
  api.post('/v1/sessions', async (c) => {
    const version = await write(c);
    return c.json(written(version), version.predecessor === null ? 201 : 200);
  });
  api.put('/v1/sessions/*', async (c) => {
    const version = await write(c, nameIn(c, '/v1/sessions/'));
    return c.json(written(version), version.predecessor === null ? 201 : 200);
  });
  api.get('/v1/sessions/*', async (c) => {
    const secrets = c.req.query('secrets');
    if (secrets !== undefined && secrets !== 'shown') {
      throw new CasError('CAS_REQUEST_INVALID', 'secrets: shown or nothing expected in the address');
    }
    const answer = await readSession(state, sessions, {
      name: nameIn(c, '/v1/sessions/'),
      hash: c.req.query('hash'),
      secretsShown: secrets === 'shown',
      identity: clientOf(c.env.incoming),
    });
    return c.json(answer);
  });

  api.get('/v1/values/*', async (c) => {
    const match = /^session=([^,]+)(?:,secret=([^,]+))?$/.exec(nameIn(c, '/v1/values/'));
    if (match === null) {
      throw new CasError('CAS_REQUEST_INVALID', 'values: session=NAME[,secret=NAME] expected in the address');
    }
    const request = { session: match[1] as string, identity: clientOf(c.env.incoming) };
    return match[2] === undefined
      ? c.json(await readPublicValues(context, request))
      : c.json(await readPublicValue(context, { ...request, secret: match[2] }));
  });
  // Questions of other CASes wait for what those wait for: they are few at once.
  const exports = new Gate({ running: 64, waiting: 256 });
  api.post('/v1/exports', async (c) => {
    const body = await bodyText(c);
    const identity = clientOf(c.env.incoming);
    return c.json(await exports.run(() => serveExports(context, identity, body)));
  });
  return api;
}

const written = (version: StoredVersion): SessionWritten => ({
  name: version.name,
  hash: version.hash,
  predecessor: version.predecessor,
});

/** The rest of the path behind `prefix`, percent-decoded; session names have slashes in them. */
function nameIn(c: Context<Bindings>, prefix: string): string {
  try {
    const path = new URL(c.req.url).pathname;
    return decodeURIComponent(path.slice(prefix.length));
  } catch (cause) {
    throw new CasError('CAS_REQUEST_INVALID', 'address: percent-encoded UTF-8 expected', { cause });
  }
}

async function bodyText(c: Context<Bindings>): Promise<string> {
  const bytes = new Uint8Array(await c.req.arrayBuffer());
  try {
    return fromUtf8(bytes);
  } catch (cause) {
    throw new CasError('CAS_REQUEST_INVALID', 'request: a body in UTF-8 expected, other bytes found', {
      cause,
    });
  }
}

function answerError(context: ClientApiContext, c: Context<Bindings>, error: unknown): Response {
  const shown = publicError(error);
  if (shown.status >= 500) {
    context.log.error({ err: error, method: c.req.method, path: c.req.path }, 'request failed');
  }
  const body: ErrorBody = {
    msg: shown.msg,
    code: shown.code,
    retry: shown.retry,
    ...(shown.hint === undefined ? {} : { hint: shown.hint }),
  };
  return c.json(body, shown.status);
}
