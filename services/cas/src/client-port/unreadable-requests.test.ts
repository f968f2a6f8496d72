import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';
import { test, type TestContext } from 'node:test';
import { publicForms, type PublicCode } from '@ensconce/api/codes';
import { version } from '@ensconce/api/client';
import { errorBody } from '@ensconce/api/schema';
import * as v from 'valibot';
import { casUnderTest, clientKeys, type CasUnderTest } from '../../test/cas-under-test.ts';

const timeout = 600;

function start(t: TestContext): Promise<CasUnderTest> {
  return casUnderTest(t, { limits: { clients: { connections: 50, perAddress: 50, timeout } } });
}

/** Everything that comes back for these bytes, until CAS ends the connection. */
async function answersTo(
  { cas }: CasUnderTest,
  text: string,
  then: (socket: TLSSocket) => void = () => undefined,
): Promise<string> {
  const keys = await clientKeys();
  const socket = connect({
    port: cas.clientAddress.port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    key: keys.privateKey,
    cert: keys.certificate,
  });
  let answers = '';
  socket.setEncoding('latin1').on('data', (part: string) => (answers += part));
  socket.on('error', () => undefined);
  const closed = once(socket, 'close');
  await once(socket, 'secureConnect');
  socket.write(text, 'latin1');
  then(socket);
  await closed;
  return answers;
}

/** The answers as clients read them: each with the length that it says. */
function parseAnswers(text: string): readonly { readonly head: string; readonly body: string }[] {
  const answers: { head: string; body: string }[] = [];
  for (let rest = text; rest !== '';) {
    const end = rest.indexOf('\r\n\r\n');
    const head = rest.slice(0, end);
    const size = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1]);
    answers.push({ head, body: rest.slice(end + 4, end + 4 + size) });
    rest = rest.slice(end + 4 + size);
  }
  return answers;
}

function refusal(text: string): { readonly code: string; readonly msg: string } {
  const [answer, more] = parseAnswers(text);
  assert.equal(more, undefined);
  assert.match(answer?.head ?? '', /\r\nconnection: close/i);
  assert.match(answer?.head ?? '', /\r\ncontent-type: application\/json/i);
  const { code, msg, retry } = v.parse(errorBody, JSON.parse(answer?.body ?? ''));
  const form = publicForms[code as PublicCode];
  assert.match(answer?.head ?? '', new RegExp(`^HTTP/1.1 ${form.status} `));
  assert.equal(retry, form.retry);
  assert.equal(/\r\nretry-after: 1/i.test(answer?.head ?? ''), retry);
  return { code, msg: msg.join(': ') };
}

const marker = 'something-that-was-sent';
const post = 'POST /v1/sessions HTTP/1.1\r\nhost: a\r\n';
const unreadable: Readonly<Record<string, readonly [string, PublicCode]>> = {
  'no HTTP': [`${marker}\r\n\r\n`, 'CAS_REQUEST_INVALID'],
  'another HTTP': [`PRI * HTTP/2.0\r\n\r\n${marker}\r\n\r\n`, 'CAS_REQUEST_INVALID'],
  'no Host': [`GET /${marker} HTTP/1.1\r\n\r\n`, 'CAS_REQUEST_INVALID'],
  'no good Host': [`GET /v1/version HTTP/1.1\r\nhost: a b/${marker}\r\n\r\n`, 'CAS_REQUEST_INVALID'],
  'a target without a path': ['OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n', 'CAS_REQUEST_INVALID'],
  'bytes in the target': [`GET /${marker}\xff HTTP/1.1\r\nhost: a\r\n\r\n`, 'CAS_REQUEST_INVALID'],
  'bytes in a header': [
    `GET /v1/version HTTP/1.1\r\nhost: a\r\n${marker}: \x01\r\n\r\n`,
    'CAS_REQUEST_INVALID',
  ],
  'an expectation': [
    `GET /v1/version HTTP/1.1\r\nhost: a\r\nexpect: ${marker}\r\n\r\n`,
    'CAS_REQUEST_INVALID',
  ],
  'a tunnel': [`CONNECT ${marker}:80 HTTP/1.1\r\nhost: a\r\n\r\n`, 'CAS_REQUEST_INVALID'],
  'two lengths': [
    `${post}content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n${marker}`,
    'CAS_REQUEST_INVALID',
  ],
  'a long target': [`GET /${'a'.repeat(20_000)} HTTP/1.1\r\nhost: a\r\n\r\n`, 'CAS_HEADERS_TOO_LARGE'],
  'long headers': [
    `GET /v1/version HTTP/1.1\r\nhost: a\r\nx: ${'a'.repeat(20_000)}\r\n\r\n`,
    'CAS_HEADERS_TOO_LARGE',
  ],
  'a bad chunk': [
    `${post}content-type: application/yaml\r\ntransfer-encoding: chunked\r\n\r\n${marker}\r\n`,
    'CAS_REQUEST_INVALID',
  ],
  'a bad chunk after a good one': [
    `${post}content-type: application/yaml\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n${marker}\r\n`,
    'CAS_REQUEST_INVALID',
  ],
  'long extensions of a chunk': [
    `${post}content-type: application/yaml\r\ntransfer-encoding: chunked\r\n\r\n1;${'a'.repeat(20_000)}\r\n`,
    'CAS_REQUEST_TOO_LARGE',
  ],
  'a request line that ends nowhere': ['GET /v1/version HTT', 'CAS_REQUEST_TIMEOUT'],
  'headers that end nowhere': [`${post}x: ${marker}`, 'CAS_REQUEST_TIMEOUT'],
  'a body that ends nowhere': [`${post}content-length: 30\r\n\r\nabc`, 'CAS_REQUEST_TIMEOUT'],
};

void test('what the HTTP parser refuses is answered like every other error, without what was sent', async (t) => {
  const started = await start(t);
  const cases = Object.entries(unreadable).map(async ([what, [text, code]]) => {
    const answer = await answersTo(started, text);
    assert.equal(refusal(answer).code, code, what);
    assert.equal(answer.includes(marker), false, what);
    assert.doesNotMatch(answer, /HPE_|node:|\.ts\b|Parse Error/, what);
  });
  await Promise.all(cases);
  assert.equal((await version(await started.connect(await clientKeys()))).identity, started.cas.identity);
});

void test('an answer to what cannot be read is never taken for that of the request before', async (t) => {
  const started = await start(t);
  const good = 'GET /v1/version HTTP/1.1\r\nhost: a\r\n\r\n';
  const [first, second, third, fourth] = parseAnswers(
    await answersTo(started, `${good}${good}nonsense\r\n\r\n`),
  );
  assert.match(first?.body ?? '', /"product":"ensconce-cas"/);
  assert.match(second?.body ?? '', /"product":"ensconce-cas"/);
  assert.match(third?.body ?? '', /"code":"CAS_REQUEST_INVALID"/);
  assert.equal(fourth, undefined);
});

void test('a request that has its answer gets no second one for the rest of its body', async (t) => {
  const started = await start(t);
  const head = 'POST /v1/nowhere HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n';
  const text = await answersTo(started, head, (socket) => {
    socket.once('data', () => socket.write('nonsense\r\n'));
  });
  const [first, second] = parseAnswers(text);
  assert.match(first?.body ?? '', /"code":"CAS_ROUTE_NOT_FOUND"/);
  assert.equal(second, undefined);
});

void test('who goes on sending after that is hung up on', async (t) => {
  const started = await start(t);
  let sent = 0;
  const answer = await answersTo(started, 'nonsense\r\n\r\n', (socket) => {
    const more = setInterval(() => (sent += socket.write('more nonsense\r\n\r\n') ? 1 : 0), 20);
    socket.once('close', () => clearInterval(more));
  });
  assert.equal(refusal(answer).code, 'CAS_REQUEST_INVALID');
  assert.ok(sent < 500, `${sent} lines`);
});
