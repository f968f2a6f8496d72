import assert from 'node:assert/strict';
import { Agent, request } from 'node:https';
import type { IncomingHttpHeaders } from 'node:http';
import { test, type TestContext } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import * as fc from 'fast-check';
import { postSession, version } from '@ensconce/api/client';
import { casUnderTest, clientKeys, type CasUnderTest, type ClientKeys } from '../../test/cas-under-test.ts';
import { sessionText } from '../../test/session-text.ts';

/** As much of OpenAPI as the document uses. */
interface Operation {
  readonly operationId: string;
  readonly parameters: readonly {
    readonly name: string;
    readonly in: 'path' | 'query' | 'header';
    readonly schema: Schema;
  }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
  readonly responses: Readonly<Record<string, Answer | { readonly $ref: string }>>;
}
interface Answer {
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly content: { readonly 'application/json': { readonly schema: Schema } };
}
interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly pattern?: string;
  readonly enum?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
}
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>;
    readonly responses: Readonly<Record<string, Answer>>;
  };
}

interface Sent {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}
interface Received {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** Sends requests as they are, over few connections. */
class Sender {
  readonly #agent: Agent;
  readonly #port: number;

  constructor(t: TestContext, { cas }: CasUnderTest, keys: ClientKeys | undefined) {
    this.#port = cas.clientAddress.port;
    this.#agent = new Agent({
      keepAlive: true,
      maxSockets: 2,
      rejectUnauthorized: false,
      ...(keys === undefined ? {} : { key: keys.privateKey, cert: keys.certificate }),
    });
    t.after(() => this.#agent.destroy());
  }

  send({ method, path, headers: given, body }: Sent): Promise<Received> {
    const headers =
      body === undefined ? given : { ...given, 'content-length': String(Buffer.byteLength(body)) };
    return new Promise((resolve, reject) => {
      const outgoing = request(
        { host: '127.0.0.1', port: this.#port, agent: this.#agent, method, path, headers },
        (incoming) => {
          let text = '';
          incoming.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
          incoming.on('error', reject);
          incoming.on('end', () =>
            resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text }),
          );
        },
      );
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }
}

const names = [
  'app',
  'team',
  'team/app',
  '/',
  'gone',
  'ÄÖ',
  '..',
  '../v1/version',
  'a/../../b',
  '%',
  'a b',
  '\u0000',
  'constructor',
  '__proto__',
];
const hash = fc.oneof(fc.constant('0'.repeat(64)), fc.stringMatching(/^[0-9a-f]{64}$/));
const anything = fc.string({ unit: 'grapheme', maxLength: 60 });

/** Values of a parameter: what its schema describes, what looks like it, and what does not. */
function valueOf(schema: Schema): fc.Arbitrary<string> {
  if (schema.enum !== undefined) return fc.oneof(fc.constantFrom(...schema.enum), anything);
  if (schema.pattern !== undefined) {
    const fitting = fc.stringMatching(new RegExp(schema.pattern));
    return fc.oneof({ weight: 3, arbitrary: fitting }, anything);
  }
  return fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...names) }, anything);
}

const sessions: fc.Arbitrary<string> = fc.oneof(
  fc
    .record({
      name: fc.constantFrom('app', 'team/app', 'new', 'team/new', '..', 'a\\nb'),
      predecessor: fc.option(hash, { nil: undefined }),
      service: fc.constantFrom('app', 'b', '""'),
    })
    .map(({ name, predecessor, service }) =>
      sessionText({
        name,
        service,
        mrenclave: 'aa'.repeat(32),
        ...(predecessor === undefined ? {} : { predecessor }),
      }),
    ),
  fc.constant(`a: &a [${'*a,'.repeat(50)}]`),
  fc.constant(`name: x\n${'['.repeat(5000)}`),
  fc.json(),
  fc.string(),
);

function bodyOf(document: Document, type: string, schema: Schema): fc.Arbitrary<string> {
  if (type !== 'application/json') return sessions;
  const described =
    schema.$ref === undefined
      ? schema
      : (document.components.schemas[schema.$ref.split('/').at(-1) ?? ''] ?? {});
  const fitting = fc.record(
    Object.fromEntries(Object.entries(described.properties ?? {}).map(([name, one]) => [name, valueOf(one)])),
  );
  return fc.oneof(
    fitting.map((value) => JSON.stringify(value)),
    fc.json(),
    fc.string(),
  );
}

interface Case {
  readonly operation: Operation;
  readonly sent: Sent;
}

/** One operation, asked for rightly or wrongly. */
function requestsOf(document: Document): fc.Arbitrary<Case> {
  const cases = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => caseOf(document, path, method, operation)),
  );
  return fc.oneof(...cases);
}

function caseOf(document: Document, path: string, method: string, operation: Operation): fc.Arbitrary<Case> {
  const place = (where: string): Record<string, fc.Arbitrary<string>> =>
    Object.fromEntries(
      operation.parameters
        .filter((one) => one.in === where)
        .map(({ name, schema }) => [name, valueOf(schema)]),
    );
  const types = Object.entries(operation.requestBody?.content ?? {});
  const body =
    types.length === 0
      ? fc.oneof(
          { weight: 9, arbitrary: fc.constant(undefined) },
          fc.constant({ type: 'text/plain', content: 'x' }),
        )
      : fc.oneof(
          ...types.map(([type, { schema }]) =>
            bodyOf(document, type, schema).map((content) => ({ type, content })),
          ),
          fc.constant({ type: 'image/png', content: 'x' }),
          fc.constant({ type: types[0]?.[0] ?? '', content: 'x'.repeat(1_100_000) }),
          fc.constant(undefined),
        );
  return fc
    .record({
      path: fc.record(place('path')),
      query: fc.record(place('query'), { requiredKeys: [] }),
      unknown: fc.oneof(
        { weight: 9, arbitrary: fc.constant('') },
        fc.constant('&x=1'),
        fc.constant('&hash=1&hash=2'),
      ),
      headers: fc.record(place('header'), { requiredKeys: [] }),
      body,
      method: fc.constantFrom(method.toUpperCase(), ...(method === 'get' ? ['HEAD'] : [])),
    })
    .map((parts) => {
      const filled = path.replaceAll(/\{([^}]+)\}/g, (_, name: string) =>
        encodeURIComponent(parts.path[name] === '' ? 'x' : (parts.path[name] ?? 'x')),
      );
      const query = new URLSearchParams(parts.query as Record<string, string>).toString() + parts.unknown;
      const headers = Object.fromEntries(
        Object.entries(parts.headers).map(([name, value]) => [
          name,
          Buffer.from(value ?? '')
            .toString('latin1')
            .replaceAll(/[^\x20-\x7e]/g, '?'),
        ]),
      );
      return {
        operation,
        sent: {
          method: parts.method,
          path: query === '' ? filled : `${filled}?${query}`,
          headers: parts.body === undefined ? headers : { ...headers, 'content-type': parts.body.type },
          body: parts.body?.content,
        },
      };
    });
}

async function started(
  t: TestContext,
): Promise<{ cas: CasUnderTest; document: Document; senders: Sender[] }> {
  const cas = await casUnderTest(t, { limits: { rate: { perSecond: 1e6, burst: 1e6, callers: 10 } } });
  const keys = await clientKeys();
  const client = await cas.connect(keys);
  for (const name of ['app', 'team', 'team/app']) {
    await postSession(client, sessionText({ name, mrenclave: 'aa'.repeat(32) }));
  }
  const senders = [new Sender(t, cas, keys), new Sender(t, cas, undefined)];
  const { text } = await (senders[0] as Sender).send({
    method: 'GET',
    path: '/v1/openapi.json',
    headers: {},
    body: undefined,
  });
  return { cas, document: JSON.parse(text) as Document, senders };
}

void test('every answer to whatever request is one that the description of the API has', async (t) => {
  const { cas, document, senders } = await started(t);
  const ajv = new Ajv2020({ strict: false, formats: { byte: true } });
  ajv.addSchema({ ...document, $id: 'api' });
  const matches = (schema: Schema, value: unknown): string => {
    const validate = ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"api#/')) as object);
    return validate(value) ? '' : ajv.errorsText(validate.errors);
  };
  const statuses = new Set<number>();
  await fc.assert(
    fc.asyncProperty(
      requestsOf(document),
      fc.constantFrom(...senders),
      async ({ operation, sent }, sender) => {
        const { status, headers, text } = await sender.send(sent);
        statuses.add(status);
        const listed = operation.responses[String(status)];
        assert.ok(
          listed !== undefined,
          `${operation.operationId}: status ${status} is not described: ${text}`,
        );
        assert.notEqual(status, 500, text);
        const answer =
          '$ref' in listed ? document.components.responses[listed.$ref.split('/').at(-1) ?? ''] : listed;
        for (const name of Object.keys(answer?.headers ?? {})) assert.ok(headers[name.toLowerCase()], name);
        assert.equal(headers['cache-control'], 'no-store');
        assert.match(headers['content-type'] ?? '', /^application\/json/);
        if (sent.method === 'HEAD') assert.equal(text, '');
        else assert.equal(matches(answer?.content['application/json'].schema ?? {}, JSON.parse(text)), '');
      },
    ),
    { numRuns: 600 },
  );
  for (const status of [200, 400, 401, 404, 413, 415, 422])
    assert.ok(statuses.has(status), `status ${status} was reached`);
  assert.equal((await version(await cas.connect())).identity, cas.cas.identity);
});

void test('methods that a path has not are refused with those that it has', async (t) => {
  const { senders } = await started(t);
  const sender = senders[0] as Sender;
  const ask = (method: string, path: string) => sender.send({ method, path, headers: {}, body: undefined });
  for (const method of ['PATCH', 'DELETE', 'TRACE', 'PROPFIND']) {
    const { status, headers } = await ask(method, '/v1/version');
    assert.equal(status, 405, method);
    assert.equal(headers.allow, 'GET, HEAD, OPTIONS');
  }
  const options = await ask('OPTIONS', '/v1/sessions/app');
  assert.equal(options.status, 204);
  assert.equal(options.headers.allow, 'DELETE, GET, HEAD, OPTIONS, PUT');
  assert.equal((await ask('OPTIONS', '/nowhere')).status, 404);
  const head = await ask('HEAD', '/v1/version');
  assert.deepEqual([head.status, head.text], [200, '']);
});

void test('a web page gets nothing, whoever looks at it', async (t) => {
  const { senders } = await started(t);
  const { status, headers } = await (senders[0] as Sender).send({
    method: 'GET',
    path: '/v1/sessions/app',
    headers: { origin: 'https://example.org' },
    body: undefined,
  });
  assert.equal(status, 400);
  assert.equal(headers['access-control-allow-origin'], undefined);
});
