import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectPlain } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { setTimeout as sleep } from 'node:timers/promises';
import { test, type TestContext } from 'node:test';
import * as fc from 'fast-check';
import { version } from '@ensconce/api/client';
import { attestationProtocol } from '@ensconce/wire/attestation';
import { encodeFrame } from '@ensconce/wire/frames';
import { casUnderTest, clientKeys, type CasUnderTest } from '../test/cas-under-test.ts';
import { attestOnce, imageFor, openService } from '../test/service-under-test.ts';
import { defaultLimits } from './limits.ts';

const impatient = {
  clients: { connections: 20, perAddress: 10, timeout: 300 },
  services: { connections: 20, pending: 2, timeout: 300 },
};

/** CAS still answers on both ports. */
async function alive({ connect, cas, vendor }: CasUnderTest): Promise<void> {
  const client = await connect(await clientKeys());
  assert.equal((await version(client)).identity, cas.identity);
  client.close();
  const { answer } = await attestOnce({ cas, vendor, image: imageFor(cas), configId: 'nobody/app' });
  assert.equal(answer.type, 'refused');
}

const ports = (started: CasUnderTest): number[] => [
  started.cas.clientAddress.port,
  started.cas.serviceAddress.port,
];

void test('a peer that says nothing is hung up on, before and after the handshake', async (t) => {
  const started = await casUnderTest(t, { limits: impatient });
  for (const port of ports(started)) {
    const silent = connectPlain(port, '127.0.0.1');
    silent.on('error', () => {});
    silent.resume();
    await once(silent, 'close');
  }
  const shaken = await openService(started.cas);
  const closed = once(shaken.socket, 'close');
  shaken.socket.resume();
  await closed;
  await alive(started);
});

void test('connections that are not attested are bounded, attested ones do not count', async (t) => {
  const started = await casUnderTest(t, {
    limits: { ...impatient, services: { ...impatient.services, timeout: 2000 } },
  });
  const open = [await openService(started.cas), await openService(started.cas)];
  await assert.rejects(openService(started.cas), 'the third one waits for nothing');
  for (const { socket } of open) socket.destroy();
  await new Promise((resolve) => setTimeout(resolve, 50));
  await alive(started);
});

void test('one address does not get all connections of the client port', async (t) => {
  const started = await casUnderTest(t, {
    limits: { ...impatient, clients: { connections: 20, perAddress: 4, timeout: 2000 } },
  });
  const port = started.cas.clientAddress.port;
  const open = Array.from({ length: 6 }, () =>
    connectPlain({ port, host: '127.0.0.1', localAddress: '127.0.0.2' }),
  );
  let refused = 0;
  for (const socket of open) {
    socket.on('error', () => {});
    socket.on('close', () => refused++);
    socket.resume();
  }
  await sleep(200);
  assert.equal(refused, 2);
  await alive(started);
  for (const socket of open) socket.destroy();
});

/** A TLS connection to the client port that speaks HTTP by hand. */
async function byHand(started: CasUnderTest): Promise<TLSSocket> {
  const keys = await clientKeys();
  const socket = connect({
    port: started.cas.clientAddress.port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    key: keys.privateKey,
    cert: keys.certificate,
  });
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  return socket;
}

const closing = (socket: TLSSocket): Promise<void> =>
  new Promise((resolve) => socket.once('close', () => resolve()));

void test('requests that arrive byte by byte are hung up on, and stop nobody else', async (t) => {
  const started = await casUnderTest(t, {
    limits: { ...impatient, clients: { connections: 100, perAddress: 100, timeout: 300 } },
  });
  const beginnings = [
    'GET /v1/version HTTP/1.1\r\nhost: x\r\nx: ',
    'POST /v1/sessions HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n',
    'POST /v1/sessions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n',
  ];
  const slow = Array.from({ length: 30 }, async (_, i) => {
    const socket = await byHand(started);
    const closed = closing(socket);
    socket.write(beginnings[i % beginnings.length] as string);
    const drip = setInterval(() => socket.write(i % 3 === 2 ? '1\r\na\r\n' : 'a'), 50);
    socket.once('close', () => clearInterval(drip));
    socket.resume();
    return closed;
  });
  await alive(started);
  await Promise.all(slow);
  await alive(started);
});

/** The answers to what is sent by hand, until CAS closes the connection. */
async function answersTo(socket: TLSSocket, text: string): Promise<string> {
  let answers = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => (answers += chunk));
  const closed = closing(socket);
  socket.write(text);
  await closed;
  return answers;
}

void test('too many requests are told when to come again, whoever they say they are', async (t) => {
  const started = await casUnderTest(t, {
    limits: { ...impatient, rate: { perSecond: 0.01, burst: 2, callers: 100 } },
  });
  const ask = 'GET /v1/version HTTP/1.1\r\nhost: x\r\n\r\n';
  const last = ask.replace('host: x', 'host: x\r\nconnection: close');
  const one = await answersTo(await byHand(started), ask.repeat(3) + last);
  assert.match(one, /HTTP\/1.1 429 [^]*retry-after: \d+\r\n[^]*"CAS_RATE_LIMITED"[^]*"retry":true/);
  let refused = 0;
  for (let i = 0; i < 25; i++) {
    if ((await answersTo(await byHand(started), last)).startsWith('HTTP/1.1 429')) refused++;
  }
  assert.ok(refused >= 5, `${refused} of 25 identities of one address refused`);
});

void test('what one address holds in bodies that never end is bounded, and stops nobody else', async (t) => {
  const started = await casUnderTest(t);
  const begin = 'POST /v1/sessions HTTP/1.1\r\nhost: x\r\ncontent-length: 1048576\r\n\r\n';
  const open = await Promise.all(Array.from({ length: 12 }, () => byHand(started)));
  const busy: TLSSocket[] = [];
  for (const socket of open) {
    socket.setEncoding('latin1').on('data', (text: string) => {
      if (/^HTTP\/1.1 503 [^]*CAS_BUSY/.test(text)) busy.push(socket);
    });
    socket.write(begin + '#'.repeat(1_048_000));
  }
  for (let i = 0; i < 100 && busy.length < 4; i++) await sleep(50);
  assert.equal(busy.length, 4, 'eight bodies of a megabyte have room');
  await alive(started);
  for (const socket of open) socket.destroy();
  for (const again of await Promise.all(Array.from({ length: 3 }, () => byHand(started)))) {
    const answer = await answersTo(
      again,
      begin.replace('host: x', 'host: x\r\nconnection: close') + '#'.repeat(1_048_576),
    );
    assert.match(answer, /^HTTP\/1.1 422 /);
  }
});

void test('a body of 100 MB is refused before it is held, and CAS goes on', async (t) => {
  const started = await casUnderTest(t);
  const socket = await byHand(started);
  const size = 100_000_000;
  let answer = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => (answer += chunk));
  const closed = closing(socket);
  socket.write(`POST /v1/sessions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n`);
  const chunk = `10000\r\n${'#'.repeat(0x1_00_00)}\r\n`;
  for (let sent = 0; sent < size && !socket.destroyed; sent += 0x1_00_00) {
    if (!socket.write(chunk)) await Promise.race([once(socket, 'drain').catch(() => {}), closed]);
  }
  socket.end();
  await closed;
  assert.match(answer, /^HTTP\/1.1 413 [^]*CAS_REQUEST_TOO_LARGE/);
  await alive(started);
});

void test('who asks and never reads the answers is hung up on', async (t) => {
  const started = await casUnderTest(t, {
    limits: { ...impatient, rate: { perSecond: 1e6, burst: 1e6, callers: 10 } },
  });
  const socket = await byHand(started);
  const closed = closing(socket);
  socket.pause();
  const ask = 'GET /v1/openapi.json HTTP/1.1\r\nhost: x\r\n\r\n';
  socket.write(ask.repeat(2000));
  // A socket that neither reads nor writes does not learn that the other side has gone.
  const trying = setInterval(() => socket.write(ask), 2 * impatient.clients.timeout);
  t.after(() => clearInterval(trying));
  await closed;
  clearInterval(trying);
  await alive(started);
});

void test('a flood of connections costs a bounded amount of memory, and ends with CAS answering', async (t) => {
  const started = await casUnderTest(t, {
    limits: {
      clients: { ...impatient.clients, connections: 50 },
      services: { ...impatient.services, connections: 50, pending: 10 },
    },
  });
  const before = process.memoryUsage().rss;
  for (let wave = 0; wave < 5; wave++) {
    const sockets = ports(started).flatMap((port) =>
      Array.from({ length: 200 }, () => {
        const socket = connectPlain(port, '127.0.0.1');
        socket.on('error', () => {});
        socket.resume();
        socket.write(Buffer.alloc(4096, 0x16));
        return socket;
      }),
    );
    await Promise.all(sockets.filter(({ closed }) => !closed).map((socket) => once(socket, 'close')));
  }
  const grown = process.memoryUsage().rss - before;
  // The sockets of the attackers live in this process too.
  assert.ok(grown < 256 * 2 ** 20, `${Math.round(grown / 2 ** 20)} MiB`);
  await alive(started);
});

/** Sends bytes over TLS and waits until CAS has had enough, or enough time has passed. */
async function poke(
  port: number,
  alpn: string,
  keys: { privateKey: string; certificate: string },
  bytes: Uint8Array,
): Promise<void> {
  const socket = connect({
    port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    ALPNProtocols: [alpn],
    key: keys.privateKey,
    cert: keys.certificate,
  });
  socket.on('error', () => {});
  socket.resume();
  await once(socket, 'secureConnect');
  socket.end(bytes);
  await Promise.race([once(socket, 'close'), new Promise((resolve) => setTimeout(resolve, 100))]);
  socket.destroy();
}

async function fuzz(
  t: TestContext,
  alpn: string,
  pick: (started: CasUnderTest) => number,
  bytes: fc.Arbitrary<Uint8Array>,
): Promise<void> {
  const started = await casUnderTest(t, {
    limits: { rate: { ...defaultLimits.rate, perSecond: 1e6, burst: 1e6 } },
  });
  const keys = await clientKeys();
  await fc.assert(
    fc.asyncProperty(bytes, (content) => poke(pick(started), alpn, keys, content)),
    { numRuns: 40 },
  );
  await alive(started);
}

void test('whatever is sent to the service port, CAS goes on', async (t) => {
  const attestLike = fc.record(
    {
      type: fc.constantFrom('attest', 'started', 'exited'),
      version: fc.constantFrom(1, 2),
      configId: fc.oneof(fc.string(), fc.constant('a/b')),
      format: fc.constantFrom('sgx', 'tdx'),
      evidence: fc.oneof(fc.base64String(), fc.string()),
      description: fc.base64String(),
    },
    { requiredKeys: [] },
  );
  const frame = fc.oneof(attestLike, fc.jsonValue()).map((value): Uint8Array => encodeFrame(value as never));
  await fuzz(
    t,
    attestationProtocol,
    ({ cas }) => cas.serviceAddress.port,
    fc.oneof(frame, fc.uint8Array({ maxLength: 200 })),
  );
});

void test('whatever is sent to the client port, CAS goes on', async (t) => {
  const request = fc
    .record({
      method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'X'),
      path: fc.oneof(
        fc.webPath(),
        fc.webPath().map((path) => `/v1/sessions${path}`),
        fc.string().map((text) => `/v1/values/${encodeURIComponent(text)}`),
        fc.constant('/v1/attest'),
      ),
      body: fc.oneof(fc.string(), fc.json()),
    })
    .map(({ method, path, body }): Uint8Array =>
      Buffer.from(
        `${method} ${path || '/'} HTTP/1.1\r\nhost: x\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
      ),
    );
  await fuzz(
    t,
    'http/1.1',
    ({ cas }) => cas.clientAddress.port,
    fc.oneof(request, fc.uint8Array({ maxLength: 200 })),
  );
});
