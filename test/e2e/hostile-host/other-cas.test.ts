import assert from 'node:assert/strict';
import { createHash, createPublicKey } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import {
  createServer as createTcpServer,
  connect as connectTcp,
  type AddressInfo,
  type Server,
  type Socket,
} from 'node:net';
import { join } from 'node:path';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { after, before, describe, test } from 'node:test';
import type { Json } from '@ensconce/base/json';
import { selfSigned } from '@ensconce/identity/self-signed';
import { encodeDescription, parseDescription } from '@ensconce/measurement/image';
import { attestationFrameLimit, attestationProtocol } from '@ensconce/wire/attestation';
import { FrameConnection } from '@ensconce/wire/frames';
import { needsContainers, openWorld, type Confidential, type World } from '../../flow/harness.ts';
import { stop } from '../../flow/processes.ts';
import { startCas } from '../../flow/services.ts';
import { staticImage } from '../../images/static.ts';

interface Key {
  readonly key: string;
  readonly cert: string;
  /** As image descriptions name a CAS. */
  readonly identity: string;
}

async function makeKey(): Promise<Key> {
  const { privateKey, certificate } = await selfSigned('CAS', new Date());
  const der = createPublicKey(certificate).export({ type: 'spki', format: 'der' });
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    cert: certificate,
    identity: createHash('sha256').update(der).digest('hex'),
  };
}

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const timeout = 10_000;

void describe('an attacker between the image and its CAS', needsContainers, () => {
  let world: World;
  let image: Confidential;
  const servers: Server[] = [];
  before(async () => {
    world = await openWorld();
    image = await world.confidential('static', await staticImage());
  });
  after(async () => {
    for (const server of servers) server.close();
    await world.close();
  });

  const tls = (key: Key, serve: (socket: TLSSocket) => void): Server => {
    const server = createServer(
      {
        ...key,
        minVersion: 'TLSv1.3',
        requestCert: true,
        rejectUnauthorized: false,
        ALPNProtocols: [attestationProtocol],
      },
      (socket) => {
        socket.on('error', () => undefined);
        serve(socket);
      },
    );
    servers.push(server);
    return server;
  };

  void test("the attacker's own CAS gets nothing", async () => {
    const own = await startCas(world.folder, world.las, { state: 'own-cas' });
    try {
      const found = await world.run(image, { cas: own.service });
      assert.match(
        found.errors,
        new RegExp(
          `CAS: identity ${world.cas.identity} expected [^]*, ${own.identity} found \\(CAS_IDENTITY\\)\nhint: `,
        ),
      );
      assert.deepEqual([found.text, found.status], ['', 125]);
      assert.doesNotMatch(own.running.errors(), /static\/app/);
    } finally {
      await stop(own.running);
    }
  });

  void test('a proxy that ends the TLS connection sees not one byte', async () => {
    let seen = 0;
    let connections = 0;
    const key = await makeKey();
    const proxy = tls(key, (socket) => {
      socket.on('data', (bytes: Buffer) => (seen += bytes.length));
      // Even a challenge is not answered.
      new FrameConnection(socket, 'runtime', attestationFrameLimit).send({
        type: 'challenge',
        version: 1,
        nonce: '00'.repeat(32),
      });
    });
    proxy.on('connection', () => connections++);
    const found = await world.run(image, { cas: await listening(proxy) });
    assert.match(
      found.errors,
      new RegExp(`CAS: identity ${world.cas.identity} expected [^]*, ${key.identity} found`),
    );
    assert.deepEqual([found.text, found.status, connections, seen], ['', 125, 1, 0]);
  });

  void test('a relay of encrypted bytes is just a wire', async () => {
    const bytes: Buffer[] = [];
    const [host = '', port = ''] = world.cas.service.split(':');
    const relay = createTcpServer((socket: Socket) => {
      const onward = connectTcp(Number(port), host);
      for (const [from, to] of [
        [socket, onward],
        [onward, socket],
      ] as const) {
        from.on('error', () => to.destroy());
        from.on('data', (chunk: Buffer) => bytes.push(chunk));
        from.pipe(to);
      }
    });
    servers.push(relay);
    const found = await world.run(image, { cas: await listening(relay) });
    assert.equal(found.text, 'indigo-marten ledger: 42\n');
    const wire = Buffer.concat(bytes).toString('latin1');
    assert.doesNotMatch(wire, /static\/app|layer_key|busybox|ledger|configured/);
  });

  void test('evidence that an attacker obtains with a swapped description is worth nothing to CAS', async () => {
    const key = await makeKey();
    const genuine = readFileSync(join(image.layers.at(-1) as string, '.ensconce', 'image'));
    const description = parseDescription(genuine);
    const own = encodeDescription({ ...description, cas: { ...description.cas, identity: key.identity } });
    const over = join(world.folder, 'over-description');
    mkdirSync(join(over, '.ensconce'), { recursive: true });
    writeFileSync(join(over, '.ensconce', 'image'), own);

    const [host = '', port = ''] = world.cas.service.split(':');
    let outcome: Promise<unknown> = Promise.reject(new Error('the runtime never came'));
    outcome.catch(() => undefined);
    const relayed = async (socket: TLSSocket): Promise<unknown> => {
      // From here on the LAS sees the genuine image's description and measures that.
      writeFileSync(
        join('/proc', String(container.child.pid), 'root', container.work, 'memory/rootfs/.ensconce/image'),
        genuine,
      );
      const onward = connect({
        host,
        port: Number(port),
        ...key,
        rejectUnauthorized: false,
        minVersion: 'TLSv1.3',
        ALPNProtocols: [attestationProtocol],
      });
      try {
        await new Promise<void>((resolve, reject) =>
          onward.once('secureConnect', resolve).once('error', reject),
        );
        const cas = new FrameConnection(onward, 'CAS', attestationFrameLimit);
        const runtime = new FrameConnection(socket, 'runtime', attestationFrameLimit);
        runtime.send((await cas.receive(timeout)) as Json);
        const attest = (await runtime.receive(timeout)) as Record<string, string>;
        cas.send({ ...attest, description: genuine.toString('base64') });
        return await cas.receive(timeout);
      } finally {
        onward.destroy();
        socket.destroy();
      }
    };
    const server = tls(key, (socket) => {
      outcome = relayed(socket);
      outcome.catch(() => undefined);
    });
    const cas = await listening(server);
    const container = world.start(image, { cas, layers: [...image.layers, over] });
    const found = await container.finished;
    assert.deepEqual([found.text, found.status], ['', 125]);
    const answer = (await outcome) as { type: string; code: string; msg: string[] };
    assert.equal(answer.type, 'refused');
    assert.equal(answer.code, 'CAS_BINDING_MISMATCH', answer.msg.join('; '));
  });

  void test('an address where nobody listens is named', async () => {
    const found = await world.run(image, { cas: '127.0.0.1:9' });
    assert.match(
      found.errors,
      /CAS: an attestation service expected at 127\.0\.0\.1:9, none answers[^]*hint: check SCONE_CAS_ADDR/,
    );
    assert.deepEqual([found.text, found.status], ['', 125]);
  });
});
