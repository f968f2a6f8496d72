import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { createServer, type SecureVersion, type TLSSocket } from 'node:tls';
import { causeChain, hintOf } from '@ensconce/base/errors';
import type { Json } from '@ensconce/base/json';
import { attestationFrameLimit, attestationProtocol } from '@ensconce/wire/attestation';
import { exporterLabel, exporterSize, reportData } from '@ensconce/wire/binding';
import { FrameConnection } from '@ensconce/wire/frames';
import { attestToCas, type AttestationRequest, type CasSession } from './cas-client.ts';
import { makeIdentity } from './certificate.ts';

const casKey = makeIdentity();
const casIdentity = createHash('sha256').update(casKey.publicKey).digest('hex');
const identity = makeIdentity();
const nonce = '42'.repeat(32);
const hex = 'ab'.repeat(32);
const challenge = { type: 'challenge', version: 1, nonce };
const layerKey = Buffer.alloc(32, 7).toString('base64');
const configuration = {
  session: 'demo',
  sessionHash: hex,
  service: 'app',
  command: ['run'],
  environment: {},
  hostEnvironment: [],
  pwd: '/',
  user: '',
  capabilities: [],
  layers: [{ root: hex, key: layerKey }],
  injectionFiles: [],
  hostFiles: [],
};

interface FakeCas {
  readonly port: number;
  /** Bytes of application data that arrived, of all connections. */
  readonly received: () => number;
}

interface FakeOptions {
  readonly protocols?: string[];
  readonly maxVersion?: SecureVersion;
}

/** A TLS server with CAS's key; `serve` gets each connection. */
async function fakeCas(
  t: TestContext,
  serve: (socket: TLSSocket, frames: FrameConnection) => unknown,
  { protocols = [attestationProtocol], maxVersion = 'TLSv1.3' }: FakeOptions = {},
): Promise<FakeCas> {
  let received = 0;
  const sockets = new Set<TLSSocket>();
  const server = createServer(
    {
      key: casKey.privateKeyPem,
      cert: casKey.certificatePem,
      requestCert: true,
      rejectUnauthorized: false,
      ALPNProtocols: protocols,
      minVersion: 'TLSv1.2',
      maxVersion,
    },
    (socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('data', (chunk: Buffer) => (received += chunk.length));
      serve(socket, new FrameConnection(socket, 'service', attestationFrameLimit));
    },
  );
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, received: () => received };
}

const answering =
  (...answers: readonly Json[]) =>
  async (_socket: TLSSocket, frames: FrameConnection): Promise<void> => {
    frames.send(challenge);
    for (const answer of answers) {
      await frames.receive();
      frames.send(answer);
    }
  };

function attest(port: number, changes: Partial<AttestationRequest> = {}): Promise<CasSession> {
  return attestToCas({
    host: '127.0.0.1',
    port,
    configId: 'demo/app@123456',
    serviceAccessToken: undefined,
    identity,
    description: Buffer.from('{}'),
    casIdentity,
    makeEvidence: (data) => Promise.resolve({ format: 'sgx', bytes: data }),
    timeout: 2000,
    ...changes,
  });
}

void test('evidence bound to the connection goes to CAS, the configuration comes back, events follow', async (t) => {
  let message: unknown;
  let expected: string | undefined;
  const events: unknown[] = [];
  const cas = await fakeCas(t, async (socket, frames) => {
    frames.send(challenge);
    message = await frames.receive();
    expected = Buffer.from(
      reportData({
        role: 'service-to-cas',
        publicKey: identity.publicKey,
        exporter: socket.exportKeyingMaterial(exporterSize, exporterLabel, Buffer.alloc(0)),
        nonce: Buffer.from(nonce, 'hex'),
        configId: 'demo/app@123456',
        casIdentity: casKey.publicKey,
      }),
    ).toString('base64');
    assert.deepEqual(
      socket.getPeerX509Certificate()?.publicKey.export({ type: 'spki', format: 'der' }),
      Buffer.from(identity.publicKey),
    );
    frames.send({ type: 'configured', simulated: true, configuration });
    events.push(await frames.receive(), await frames.receive());
  });
  const session = await attest(cas.port, { serviceAccessToken: 'token' });
  assert.deepEqual(message, {
    type: 'attest',
    version: 1,
    configId: 'demo/app@123456',
    serviceAccessToken: 'token',
    format: 'sgx',
    evidence: expected,
    description: 'e30=',
  });
  assert.deepEqual(session.configuration, configuration);
  assert.equal(session.simulated, true);
  session.send({ type: 'started' });
  session.send({ type: 'exited', status: 3 });
  await session.close();
  assert.deepEqual(events, [{ type: 'started' }, { type: 'exited', status: 3 }]);
  assert.throws(() => session.send({ type: 'started' }), { code: 'FRAME_CLOSED' });
});

void test('another CAS gets nothing, not even evidence', async (t) => {
  const cas = await fakeCas(t, answering({ type: 'configured', simulated: true, configuration }));
  let asked = 0;
  await assert.rejects(
    attest(cas.port, {
      casIdentity: '0'.repeat(64),
      makeEvidence: () => {
        asked++;
        return Promise.reject(new Error('never'));
      },
    }),
    { code: 'CAS_IDENTITY', message: new RegExp(casIdentity) },
  );
  assert.equal(asked, 0);
  assert.equal(cas.received(), 0);
});

void test('a server that does not speak the protocol gets nothing', async (t) => {
  // It has the right key, and another protocol (or none) negotiated.
  for (const protocols of [[], ['http/1.1']]) {
    const cas = await fakeCas(t, () => undefined, { protocols });
    await assert.rejects(attest(cas.port), (error: Error & { code: string }) =>
      ['CAS_IDENTITY', 'CAS_UNREACHABLE'].includes(error.code),
    );
    assert.equal(cas.received(), 0);
  }
});

void test('TLS 1.2 is refused', async (t) => {
  const cas = await fakeCas(t, answering(), { maxVersion: 'TLSv1.2' });
  await assert.rejects(attest(cas.port), { code: 'CAS_UNREACHABLE' });
  assert.equal(cas.received(), 0);
});

void test('a refusal is told with all its reasons, without the one-time part of the config id', async (t) => {
  const refusal = {
    type: 'refused',
    msg: ['outer', 'inner'],
    code: 'CAS_MEASUREMENT',
    hint: 'do',
    retry: false,
  };
  const cas = await fakeCas(t, answering(refusal));
  await assert.rejects(attest(cas.port, { configId: 'demo/app@12\n34' }), (error: Error) => {
    assert.deepEqual(causeChain(error), [
      'CAS refused to configure demo/app: CAS_MEASUREMENT',
      'outer',
      'inner',
    ]);
    assert.equal(hintOf(error), 'do');
    assert.equal((error as Error & { code: string }).code, 'CAS_REFUSED');
    return true;
  });
});

void test('answers of another form are refused, and what they hold is not repeated', async (t) => {
  const secret = 'c2VjcmV0LXNlY3JldA==';
  const wrong: readonly Json[] = [
    null,
    { type: 'configured', configuration },
    { type: 'configured', simulated: true, configuration: { ...configuration, extra: secret } },
    {
      type: 'configured',
      simulated: true,
      configuration: { ...configuration, layers: [{ root: hex, key: secret }] },
    },
    { type: 'configured', simulated: true, configuration: { ...configuration, pwd: secret } },
  ];
  for (const answer of wrong) {
    const cas = await fakeCas(t, answering(answer));
    await assert.rejects(attest(cas.port), (error: Error) => {
      assert.equal((error as Error & { code: string }).code, 'CAS_ANSWER');
      assert.ok(!causeChain(error).join().includes(secret));
      return true;
    });
  }
});

void test('a challenge of another form ends it before evidence is made', async (t) => {
  for (const frame of [{ ...challenge, nonce: '00' }, { ...challenge, version: 2 }, 'nonce']) {
    const cas = await fakeCas(t, (_socket, frames) => frames.send(frame));
    await assert.rejects(attest(cas.port, { makeEvidence: () => Promise.reject(new Error('never')) }), {
      code: 'CAS_ANSWER',
    });
    assert.equal(cas.received(), 0);
  }
});

void test('a silent CAS is given up, one that closes or is not there is told', async (t) => {
  const silent = await fakeCas(t, () => undefined);
  await assert.rejects(attest(silent.port, { timeout: 100 }), { code: 'FRAME_TIMEOUT' });
  const closing = await fakeCas(t, (socket) => socket.end());
  await assert.rejects(attest(closing.port), { code: 'FRAME_CLOSED' });
  await assert.rejects(attest(1), (error: Error) => {
    assert.equal((error as Error & { code: string }).code, 'CAS_UNREACHABLE');
    assert.match(causeChain(error).join(), /ECONNREFUSED/);
    return true;
  });
  await assert.rejects(attest(1, { host: 'localhost' }), (error: Error) =>
    /ECONNREFUSED/.test(causeChain(error).join()),
  );
});

void test('evidence that cannot be made is the reason that is told', async (t) => {
  const cas = await fakeCas(t, answering());
  const reason = new Error('no LAS');
  await assert.rejects(attest(cas.port, { makeEvidence: () => Promise.reject(reason) }), reason);
  assert.equal(cas.received(), 0);
});

void test('a process that was configured before says so, and one without evidence sends none', async (t) => {
  const sent: unknown[] = [];
  const cas = await fakeCas(t, async (_socket, frames) => {
    frames.send(challenge);
    sent.push(await frames.receive());
    frames.send({ type: 'configured', simulated: false, insecureWithoutEvidence: true, configuration });
  });
  const session = await attest(cas.port, { again: true, makeEvidence: () => Promise.resolve(undefined) });
  assert.deepEqual(sent, [
    {
      type: 'attest',
      version: 1,
      configId: 'demo/app@123456',
      again: true,
      format: 'none',
      evidence: '',
      description: 'e30=',
    },
  ]);
  assert.equal(session.insecureWithoutEvidence, true);
  await session.close();
});
