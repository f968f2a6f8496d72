import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino, type Logger } from 'pino';
import { call } from '@ensconce/api/call';
import { postSession, readSession } from '@ensconce/api/client';
import { routes } from '@ensconce/api/routes';
import { openSimulatedVendor } from '@ensconce/simulation/vendor';
import { casUnderTest, clientKeys, testFolder, type CasUnderTest } from '../../test/cas-under-test.ts';
import { attestOnce, imageFor, measure, openService } from '../../test/service-under-test.ts';
import { sessionText } from '../../test/session-text.ts';
import type { CasOptions } from '../cas.ts';
import { evidenceVerifier, type EvidenceVerifier } from '../evidence/verifier.ts';
import { healthOf } from './health.ts';
import { Metrics } from './metrics.ts';
import { otlpTracing } from './otlp-tracing.ts';

const local = { host: '127.0.0.1', port: 0 };

async function get(started: CasUnderTest, path: string): Promise<{ status: number; text: string }> {
  const answer = await fetch(`http://127.0.0.1:${started.cas.metricsAddress?.port}${path}`);
  return { status: answer.status, text: await answer.text() };
}

/** The value of one sample; 0 where there is none. */
function sample(text: string, name: string): number {
  const line = text.split('\n').find((one) => one.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1) ?? 0);
}

function collected(): { log: Logger; text: () => string; lines: () => Record<string, unknown>[] } {
  let text = '';
  const log = pino({ level: 'trace' }, { write: (line: string) => void (text += line) });
  const lines = (): Record<string, unknown>[] =>
    text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { log, text: () => text, lines };
}

interface Flow {
  readonly started: CasUnderTest;
  /** Every secret value that was in play. */
  readonly secrets: readonly string[];
}

const name = 'very-special-name';

/** A session is created and read, a service attested under it, another refused, and wrong requests made. */
async function wholeFlow(t: TestContext, options: Partial<CasOptions>): Promise<Flow> {
  const started = await casUnderTest(t, { metricsListen: local, ...options });
  const { cas, vendor, connect } = started;
  const client = await connect(await clientKeys());
  const image = imageFor(cas);
  await postSession(client, sessionText({ name, mrenclave: measure(image) }));
  const { session } = await readSession(client, name, { secrets: 'shown' });
  assert.ok(session.includes('pass word'));
  const { answer, connection } = await attestOnce({ cas, vendor, image, configId: `${name}/app` });
  assert.ok(answer.type === 'configured');
  const wrong = { mrenclave: 'ee'.repeat(32) };
  const refused = await attestOnce({ cas, vendor, image, configId: `${name}/app`, wrong });
  assert.equal(refused.answer.type, 'refused');
  const stranger = await connect(await clientKeys());
  await assert.rejects(readSession(stranger, name));
  await assert.rejects(postSession(client, `name: x\nsecrets: [{name: a, kind: ascii, value: "pass word"]`));
  connection.frames.send({ type: 'started' });
  connection.socket.end();
  await once(connection.socket, 'close');
  const { configuration } = answer;
  const files = configuration.injectionFiles.flatMap(({ content }) => content ?? []);
  return {
    started,
    secrets: [
      'pass word',
      ...Object.values(configuration.environment),
      ...configuration.layers.flatMap(({ key }) => [key, Buffer.from(key, 'base64').toString('hex')]),
      ...files,
      ...files.map((content) => Buffer.from(content, 'base64').toString()),
    ],
  };
}

function holdsNone(text: string, secrets: readonly string[]): void {
  assert.ok(secrets.length > 5 && secrets.every((secret) => secret.length > 5));
  for (const secret of secrets) assert.equal(text.includes(secret), false, 'a secret value');
}

void test('metrics say what happened and how long it took, and no names or secrets', async (t) => {
  const { started, secrets } = await wholeFlow(t, {});
  const { status, text } = await get(started, '/metrics');
  assert.equal(status, 200);
  const count = (rest: string): number => sample(text, `ensconce_cas_${rest}`);
  assert.equal(count('attestation_seconds_count{result="configured"}'), 1);
  assert.equal(count('attestation_seconds_count{result="CAS_SERVICE_REFUSED"}'), 1);
  assert.equal(count('request_seconds_count{route="postSession",status="201"}'), 1);
  assert.equal(count('request_seconds_count{route="readSession",status="404"}'), 1);
  assert.equal(count('evidence_seconds_count{format="sgx",outcome="genuine"}'), 2);
  assert.equal(count('sessions'), 1);
  assert.equal(count('ready'), 1);
  assert.equal(count('accepted_simulation'), 1);
  assert.ok(count('audit_records') >= 5);
  assert.ok(count('audit_sync_seconds_count') >= 1);
  assert.ok(count('commit_seconds_count') >= 1 && count('commits') >= count('commit_seconds_count'));
  assert.ok(count('client_connections') >= 1);
  assert.ok(Math.abs(count('collateral_date_seconds') - Date.now() / 1000) < 3600);
  holdsNone(text, [...secrets, name, started.cas.identity]);
});

void test('the metrics port answers its three addresses and nothing else', async (t) => {
  const started = await casUnderTest(t, { metricsListen: local });
  assert.deepEqual(await get(started, '/v1/health/live'), { status: 200, text: 'live\n' });
  assert.deepEqual(await get(started, '/v1/health/ready'), { status: 200, text: 'ready\n' });
  assert.equal((await get(started, '/v1/sessions')).status, 404);
  const posted = await fetch(`http://127.0.0.1:${started.cas.metricsAddress?.port}/metrics`, {
    method: 'POST',
  });
  assert.equal(posted.status, 405);
});

void test('metrics of the process are there where they are asked for', async () => {
  const metrics = new Metrics();
  assert.equal((await metrics.text()).includes('nodejs_eventloop_lag'), false);
  metrics.watchProcess();
  assert.match(await metrics.text(), /nodejs_eventloop_lag_seconds/);
  assert.match(await metrics.text(), /process_resident_memory_bytes/);
});

void test('nothing of a secret stands in the log of a whole flow, at any level', async (t) => {
  const { log, text, lines } = collected();
  const { started, secrets } = await wholeFlow(t, { log });
  await started.cas.close();
  const messages = lines().map(({ msg }) => msg);
  for (const expected of [
    'service attested',
    'service refused',
    'request answered',
    'service connection ended',
  ])
    assert.ok(messages.includes(expected), expected);
  holdsNone(text(), secrets);
});

void test('each attestation has an id of its own in the log, and a refusal tells the service', async (t) => {
  const { log, lines } = collected();
  const { cas, vendor } = await casUnderTest(t, { log });
  const ids: unknown[] = [];
  for (let i = 0; i < 2; i++) {
    const { answer } = await attestOnce({ cas, vendor, image: imageFor(cas), configId: 'nobody/app' });
    assert.ok(answer.type === 'refused');
    assert.match(answer.requestId ?? '', /^[0-9a-f]{16}$/);
    ids.push(answer.requestId);
  }
  assert.notEqual(ids[0], ids[1]);
  const logged = lines().filter(({ msg }) => msg === 'service refused');
  assert.deepEqual(
    logged.map(({ request }) => request),
    ids,
  );
});

/** A request with a name of the caller's own for it; the name that CAS gave it. */
async function named(port: number, id: string): Promise<string | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
  const options = { host: '127.0.0.1', port, path: '/v1/version', rejectUnauthorized: false, agent: false };
  request({ ...options, headers: { 'x-request-id': id } }, (answer) => {
    answer.resume();
    resolve(answer.headers['x-request-id'] as string | undefined);
  })
    .once('error', reject)
    .end();
  return promise;
}

void test("a request's name is CAS's choice; the caller's own is logged where it is short and plain", async (t) => {
  const { log, lines } = collected();
  const { cas } = await casUnderTest(t, { log });
  const callers = ['trace-42', 'a'.repeat(65), '"}{"msg":"forged"'];
  const given = [];
  for (const id of callers) given.push(await named(cas.clientAddress.port, id));
  assert.equal(new Set(given).size, callers.length);
  for (const id of given) assert.match(id ?? '', /^[0-9a-f]{16}$/);
  const logged = lines().filter(({ msg }) => msg === 'request answered');
  assert.deepEqual(
    logged.map(({ request: id, route, status }) => ({ id, route, status })),
    given.map((id) => ({ id, route: 'readVersion', status: 200 })),
  );
  assert.deepEqual(
    logged.map(({ callersRequest }) => callersRequest),
    ['trace-42', undefined, undefined],
  );
});

void test('CAS is ready as long as its disk takes what it writes and nobody told it to stop', async (t) => {
  const { connect } = await casUnderTest(t);
  const client = await connect();
  assert.deepEqual(await call(client, routes.readLive, {}), { status: 'live' });
  assert.deepEqual(await call(client, routes.readReady, {}), { status: 'ready' });
  const parts = (audit: boolean, store: boolean): Parameters<typeof healthOf>[0] =>
    ({ audit: { writable: audit }, store: { writable: store } }) as Parameters<typeof healthOf>[0];
  assert.deepEqual(healthOf(parts(true, true), false).obstacles, []);
  assert.deepEqual(healthOf(parts(false, false), true).obstacles, ['closing', 'audit log', 'database']);
});

interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly status: { readonly code?: number; readonly message?: string };
}

/** A receiver of OTLP over HTTP, as a collector has it. */
async function receiver(t: TestContext): Promise<{ endpoint: string; spans: OtlpSpan[]; bodies: string[] }> {
  const spans: OtlpSpan[] = [];
  const bodies: string[] = [];
  const receive = async (received: IncomingMessage): Promise<void> => {
    let body = '';
    for await (const chunk of received as AsyncIterable<Buffer>) body += chunk.toString();
    assert.equal(received.url, '/v1/traces');
    bodies.push(body);
    const { resourceSpans } = JSON.parse(body) as {
      resourceSpans: { scopeSpans: { spans: OtlpSpan[] }[] }[];
    };
    spans.push(...resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)));
  };
  const server = createServer((received, response) => {
    receive(received).then(
      () => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'),
      () => response.writeHead(400).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, spans, bodies };
}

void test('traces show the steps of attestations and requests, without secrets and names', async (t) => {
  const { endpoint, spans, bodies } = await receiver(t);
  const log = pino({ level: 'silent' });
  const { started, secrets } = await wholeFlow(t, {
    tracing: otlpTracing({ endpoint, version: '0', log }),
  });
  await started.cas.close();
  const attestations = spans.filter((span) => span.name === 'attestation');
  assert.equal(attestations.length, 2);
  const steps = attestations.map(({ spanId, traceId }) =>
    spans.filter((span) => span.parentSpanId === spanId && span.traceId === traceId).map((span) => span.name),
  );
  assert.deepEqual(
    steps.toSorted((a, b) => b.length - a.length),
    [
      ['wait for evidence', 'judge evidence', 'put secrets in', 'record'],
      ['wait for evidence', 'judge evidence'],
    ],
  );
  const failed = attestations.filter(({ status }) => status.code === 2);
  assert.deepEqual(
    failed.map(({ status }) => status.message),
    ['CAS_SERVICE_REFUSED'],
  );
  assert.ok(spans.filter((span) => span.name === 'request').length >= 4);
  holdsNone(bodies.join(), [...secrets, name]);
});

void test('a receiver of traces that is away holds nobody up', async (t) => {
  const log = pino({ level: 'silent' });
  const tracing = otlpTracing({ endpoint: 'http://127.0.0.1:9', version: '0', log });
  const { started } = await wholeFlow(t, { tracing });
  const began = performance.now();
  await started.cas.close();
  assert.ok(performance.now() - began < 10_000);
});

void test('a CAS that is told to stop answers what it has the evidence of, then hangs up', async (t) => {
  const folder = testFolder(t);
  const vendor = await openSimulatedVendor({ folder: join(folder, 'vendor'), now: () => new Date() });
  const verifier = evidenceVerifier({ insecureSimulatedVendor: vendor });
  const arrived = Promise.withResolvers<void>();
  const slow: EvidenceVerifier = {
    insecureAcceptsSimulation: true,
    verify: async (asked) => {
      arrived.resolve();
      await sleep(300);
      return verifier.verify(asked);
    },
  };
  const { cas, connect } = await casUnderTest(t, { folder, verifier: slow });
  const image = imageFor(cas);
  await postSession(await connect(await clientKeys()), sessionText({ name, mrenclave: measure(image) }));
  const attested = attestOnce({ cas, vendor, image, configId: `${name}/app` });
  await arrived.promise;
  const silent = await openService(cas);
  const ended = once(silent.socket, 'close');
  silent.socket.resume();
  const began = performance.now();
  await cas.close();
  await ended;
  assert.ok(performance.now() - began < 4000, 'who says nothing is not waited for');
  assert.equal((await attested).answer.type, 'configured');
  await assert.rejects(openService(cas), 'no new connection is taken');
});
