import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectPlain, createServer, type AddressInfo, type Socket } from 'node:net';
import { test } from 'node:test';
import { connect } from 'node:tls';
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { listSessions, postSession, readSession, version } from '@ensconce/api/client';
import { ApiError, RefusedByCas } from '@ensconce/api/errors';
import { keyHashOfCertificate } from '@ensconce/policy/key-hash';
import { casUnderTest, clientKeys, type CasUnderTest, type ClientKeys } from '../../test/cas-under-test.ts';
import { sessionText } from '../../test/session-text.ts';

type Algorithm = webcrypto.EcKeyGenParams | webcrypto.RsaHashedKeyGenParams | webcrypto.Algorithm;

const ecdsa = (namedCurve: string, hash = 'SHA-256'): Algorithm & { hash: string } => ({
  name: 'ECDSA',
  namedCurve,
  hash,
});
const rsa = (modulusLength: number): Algorithm => ({
  name: 'RSASSA-PKCS1-v1_5',
  modulusLength,
  publicExponent: new Uint8Array([1, 0, 1]),
  hash: 'SHA-256',
});

interface Odd {
  readonly algorithm?: Algorithm;
  readonly name?: x509.JsonName | string;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly extensions?: x509.Extension[];
}

async function oddKeys(odd: Odd): Promise<ClientKeys> {
  const algorithm = odd.algorithm ?? ecdsa('P-256');
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, [
    'sign',
    'verify',
  ])) as webcrypto.CryptoKeyPair;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: odd.name ?? [{ CN: ['odd'] }],
    keys,
    signingAlgorithm: algorithm as x509.X509CertificateCreateSelfSignedParams['signingAlgorithm'],
    notBefore: odd.notBefore ?? new Date(Date.now() - 3_600_000),
    notAfter: odd.notAfter ?? new Date(Date.now() + 3_600_000),
    extensions: odd.extensions ?? [],
  });
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  const lines = pkcs8.toString('base64').match(/.{1,64}/g) ?? [];
  return {
    privateKey: `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`,
    certificate: certificate.toString('pem'),
  };
}

const names = (count: number): x509.Extension =>
  new x509.SubjectAlternativeNameExtension(
    Array.from({ length: count }, (_, i) => ({ type: 'dns', value: `name-${i}.example.org` })),
  );
const day = 86_400_000;

async function alive({ connect: open, cas }: CasUnderTest): Promise<void> {
  const client = await open(await clientKeys());
  assert.equal((await version(client)).identity, cas.identity);
  client.close();
}

void test('whatever kind of certificate proves a key, its holder has what is theirs', async (t) => {
  const started = await casUnderTest(t);
  const kinds: Readonly<Record<string, Odd>> = {
    'P-384': { algorithm: ecdsa('P-384', 'SHA-384') },
    'P-521': { algorithm: ecdsa('P-521', 'SHA-512') },
    Ed25519: { algorithm: { name: 'Ed25519' } },
    'RSA-2048': { algorithm: rsa(2048) },
    'RSA-4096': { algorithm: rsa(4096) },
    expired: { notBefore: new Date(Date.now() - 2 * day), notAfter: new Date(Date.now() - day) },
    'not valid yet': { notBefore: new Date(Date.now() + day), notAfter: new Date(Date.now() + 2 * day) },
    'no subject': { name: [] },
    'a subject that looks like more': { name: [{ CN: ['a\u0000b\n\u202Ec","x":"y'] }] },
    'many names': { extensions: [names(200)] },
    'a CA': { extensions: [new x509.BasicConstraintsExtension(true, 0, true)] },
    'for servers only': {
      extensions: [new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth], true)],
    },
    'an unknown critical extension': {
      extensions: [new x509.Extension('1.3.6.1.4.1.99999.1', true, new Uint8Array([4, 1, 0]))],
    },
  };
  for (const [i, [kind, odd]] of Object.entries(kinds).entries()) {
    const keys = await oddKeys(odd);
    const name = `odd-${i}`;
    const client = await started.connect(keys);
    await postSession(client, sessionText({ name, mrenclave: 'aa'.repeat(32) }));
    assert.equal(
      (await readSession(client, name)).creator.keyHash,
      keyHashOfCertificate(keys.certificate),
      kind,
    );
    assert.deepEqual((await listSessions(client)).sessions, [{ name }], kind);
    client.close();
  }
  await alive(started);
});

void test('a certificate that is too much is refused, and CAS goes on', async (t) => {
  const started = await casUnderTest(t);
  for (const count of [2_000, 10_000]) {
    const keys = await oddKeys({ extensions: [names(count)] });
    await assert.rejects(
      async () => {
        const client = await started.connect(keys);
        await listSessions(client);
      },
      (error) =>
        error instanceof RefusedByCas
          ? error.reason === 'CAS_IDENTITY_INVALID' && error.status === 401
          : error instanceof ApiError && error.code === 'API_UNREACHABLE',
      `${count} names`,
    );
    await alive(started);
  }
});

void test('a certificate of somebody else is no identity', async (t) => {
  const started = await casUnderTest(t);
  const [mine, theirs] = [await clientKeys(), await clientKeys()];
  await assert.rejects(
    new Promise((resolve, reject) => {
      const socket = connect({
        port: started.cas.clientAddress.port,
        host: '127.0.0.1',
        rejectUnauthorized: false,
        key: mine.privateKey,
        cert: theirs.certificate,
      });
      socket.once('secureConnect', resolve).once('error', reject);
    }),
  );
  const chain = `${mine.certificate}\n${theirs.certificate}\n`.repeat(3);
  const client = await started.connect({ privateKey: mine.privateKey, certificate: chain });
  await postSession(client, sessionText({ name: 'mine', mrenclave: 'aa'.repeat(32) }));
  const { creator } = await readSession(client, 'mine');
  assert.equal(
    creator.keyHash,
    keyHashOfCertificate(mine.certificate),
    'what follows the first proves nothing',
  );
});

/** What a client says first. */
async function clientHello(): Promise<Buffer> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' });
  client.on('error', () => {});
  const [socket] = (await once(server, 'connection')) as [Socket];
  const [hello] = (await once(socket, 'data')) as [Buffer];
  client.destroy();
  socket.destroy();
  server.close();
  return hello;
}

void test('a handshake that breaks off anywhere leaves CAS serving', async (t) => {
  const started = await casUnderTest(t);
  const hello = await clientHello();
  for (const cut of [0, 1, 5, 6, 40, 100, hello.length - 1, hello.length]) {
    const plain = connectPlain(started.cas.clientAddress.port, '127.0.0.1');
    plain.on('error', () => {});
    plain.resume();
    plain.end(hello.subarray(0, cut));
    await once(plain, 'close');
  }
  await alive(started);
});
