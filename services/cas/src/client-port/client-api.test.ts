import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { once } from 'node:events';
import { connect } from 'node:tls';
import { test } from 'node:test';
import { attest, postSession, readSession, readValue, readValues, version } from '@ensconce/api/client';
import { CasConnection } from '@ensconce/api/connection';
import { ApiError, RefusedByCas } from '@ensconce/api/errors';
import { fromHex } from '@ensconce/base/bytes';
import { keyHashOfCertificate } from '@ensconce/policy/key-hash';
import { appraise } from '@ensconce/verify/appraisal';
import { attestationProtocol } from '@ensconce/wire/attestation';
import { MemoryWatermarks } from '@ensconce/collateral/watermarks';
import { reportData } from '@ensconce/wire/binding';
import { casMeasurement, casUnderTest, clientKeys } from '../../test/cas-under-test.ts';
import { refusedWith } from '../../test/refused.ts';
import { sessionText } from '../../test/session-text.ts';
import { evidenceVerifier } from '../evidence/verifier.ts';

const mrenclave = 'aa'.repeat(32);

void test('a session is created, read, updated and kept in all its versions', async (t) => {
  const { connect } = await casUnderTest(t);
  const cas = await connect(await clientKeys());
  const text = sessionText({ name: 'app', mrenclave });
  const created = await postSession(cas, text);
  assert.equal(created.predecessor, null);
  const read = await readSession(cas, 'app', { secrets: 'shown' });
  assert.equal(read.hash, created.hash);
  assert.equal(read.session, text);

  const again = sessionText({ name: 'app', mrenclave: 'bb'.repeat(32), predecessor: created.hash });
  const updated = await postSession(cas, again);
  assert.notEqual(updated.hash, created.hash);
  assert.equal(updated.predecessor, created.hash);
  assert.equal((await readSession(cas, 'app', { secrets: 'shown' })).session, again);
  assert.equal((await readSession(cas, 'app', { secrets: 'shown', hash: created.hash })).session, text);
  await assert.rejects(
    readSession(cas, 'app', { hash: '0'.repeat(64) }),
    refusedWith('CAS_SESSION_NOT_FOUND'),
  );
});

void test('reading a session shows secret values only when asked, and the audit log knows which it was', async (t) => {
  const { connect, folder } = await casUnderTest(t);
  const cas = await connect(await clientKeys());
  await postSession(cas, sessionText({ name: 'app', mrenclave }));
  const redacted = await readSession(cas, 'app');
  assert.equal(redacted.redacted, true);
  assert.equal(redacted.session.includes('pass word'), false);
  const shown = await readSession(cas, 'app', { secrets: 'shown' });
  assert.equal(shown.redacted, false);
  assert.equal(shown.session.includes('pass word'), true);
  const log = readFileSync(join(folder, 'state', 'audit.jsonl'), 'utf8');
  assert.deepEqual(log.match(/"secretsShown":(?:true|false)/g), [
    '"secretsShown":false',
    '"secretsShown":true',
  ]);
});

void test('an update must name the version that it replaces', async (t) => {
  const { connect } = await casUnderTest(t);
  const cas = await connect(await clientKeys());
  const { hash } = await postSession(cas, sessionText({ name: 'app', mrenclave }));
  const withPredecessor = (predecessor: string) => sessionText({ name: 'app', mrenclave, predecessor });
  await assert.rejects(
    postSession(cas, sessionText({ name: 'app', mrenclave })),
    refusedWith('CAS_SESSION_EXISTS', new RegExp(hash)),
  );
  await assert.rejects(
    postSession(cas, withPredecessor('0'.repeat(64))),
    refusedWith('CAS_PREDECESSOR_MISMATCH', new RegExp(`${hash} expected, 0{64} found`)),
  );
  const both = await Promise.allSettled([
    postSession(cas, withPredecessor(hash)),
    postSession(await connect(), withPredecessor(hash)),
    postSession(cas, withPredecessor(hash)),
  ]);
  assert.equal(both.filter(({ status }) => status === 'fulfilled').length, 1, 'one of rival updates wins');
});

void test('who may read and update is what the access policy says', async (t) => {
  const { connect } = await casUnderTest(t);
  const [creator, listed, stranger] = [await clientKeys(), await clientKeys(), await clientKeys()];
  const hash = keyHashOfCertificate(listed.certificate);
  const cases: { readonly policy: string | undefined; readonly read: string; readonly update: string }[] = [
    { policy: undefined, read: 'c', update: 'c' },
    { policy: `  read: [CREATOR, ${hash}]\n  update: [CREATOR]`, read: 'cl', update: 'c' },
    { policy: `  read: [${hash}]\n  update: [${hash}]`, read: 'l', update: 'l' },
    { policy: '  read: [ANY]\n  update: [CREATOR]', read: 'clsa', update: 'c' },
    { policy: '  read: [NONE]\n  update: [NONE]', read: '', update: '' },
  ];
  const owner = await connect(creator);
  for (const [i, { policy, read, update }] of cases.entries()) {
    const name = `matrix-${i}`;
    const accessPolicy = policy === undefined ? {} : { accessPolicy: policy };
    const created = await postSession(owner, sessionText({ name, mrenclave, ...accessPolicy }));
    let present = created.hash;
    const identities = { c: creator, l: listed, s: stranger, a: undefined };
    for (const [letter, keys] of Object.entries(identities)) {
      const cas = await connect(keys);
      const what = `${letter} in case ${i}`;
      const reading = readSession(cas, name);
      if (read.includes(letter)) assert.equal((await reading).hash, present, what);
      else await assert.rejects(reading, refusedWith('CAS_SESSION_NOT_FOUND'), what);
      const writing = postSession(
        cas,
        sessionText({ name, mrenclave, predecessor: present, ...accessPolicy }),
      );
      if (update.includes(letter)) present = (await writing).hash;
      else
        await assert.rejects(
          writing,
          refusedWith(keys === undefined ? 'CAS_IDENTITY_REQUIRED' : 'CAS_SESSION_NOT_FOUND'),
          what,
        );
    }
  }
});

void test('what exists and is not theirs looks to strangers like what does not exist', async (t) => {
  const { connect } = await casUnderTest(t);
  await postSession(await connect(await clientKeys()), sessionText({ name: 'theirs', mrenclave }));
  const stranger = await connect(await clientKeys());
  const answers = await Promise.all(
    ['theirs', 'absent'].map(async (name) => {
      const tries = [
        readSession(stranger, name),
        readSession(stranger, name, { hash: '0'.repeat(64) }),
        postSession(stranger, sessionText({ name, mrenclave, predecessor: '0'.repeat(64) })),
        readValue(stranger, name, 'token'),
      ];
      const outcomes = await Promise.allSettled(tries);
      return outcomes.map((outcome) => {
        assert.equal(outcome.status, 'rejected');
        const error = (outcome as PromiseRejectedResult & { reason: RefusedByCas }).reason;
        return `${error.status} ${error.reason} ${error.message.replaceAll(name, 'NAME')}`;
      });
    }),
  );
  assert.deepEqual(answers[0], answers[1]);
});

void test('an update by somebody else leaves the creator what it was', async (t) => {
  const { connect } = await casUnderTest(t);
  const [creator, other] = [await clientKeys(), await clientKeys()];
  const accessPolicy = `  read: [CREATOR]\n  update: [CREATOR, ${keyHashOfCertificate(other.certificate)}]`;
  const first = await connect(creator);
  const { hash } = await postSession(first, sessionText({ name: 'app', mrenclave, accessPolicy }));
  const text = sessionText({ name: 'app', mrenclave, accessPolicy, predecessor: hash });
  await postSession(await connect(other), text);
  assert.equal((await readSession(first, 'app')).creator.keyHash, keyHashOfCertificate(creator.certificate));
});

void test('sessions in a namespace need the right to create there', async (t) => {
  const { connect } = await casUnderTest(t);
  const owner = await connect(await clientKeys());
  const stranger = await connect(await clientKeys());
  await postSession(owner, sessionText({ name: 'team', mrenclave }));
  await postSession(owner, sessionText({ name: 'team/app', mrenclave }));
  assert.equal((await readSession(owner, 'team/app')).name, 'team/app');
  for (const name of ['team/other', 'absent/other']) {
    await assert.rejects(
      postSession(stranger, sessionText({ name, mrenclave })),
      refusedWith('CAS_SESSION_FORBIDDEN', /its namespace does not exist, or this identity may not/),
    );
  }
});

void test('top-level sessions may be kept to some keys', async (t) => {
  const allowed = await clientKeys();
  const { connect } = await casUnderTest(t, {
    creators: new Set([keyHashOfCertificate(allowed.certificate)]),
  });
  await postSession(await connect(allowed), sessionText({ name: 'a', mrenclave }));
  await assert.rejects(
    postSession(await connect(await clientKeys()), sessionText({ name: 'b', mrenclave })),
    refusedWith('CAS_SESSION_FORBIDDEN'),
  );
});

void test('a value is public only where the session says so', async (t) => {
  const { connect } = await casUnderTest(t);
  await postSession(await connect(await clientKeys()), sessionText({ name: 'app', mrenclave }));
  const anonymous = await connect();
  const expected = { kind: 'string', value: 'to be seen', expires: null, renew: null };
  assert.deepEqual(await readValue(anonymous, 'app', 'public'), expected);
  assert.deepEqual(await readValues(anonymous, 'app'), { values: { public: expected } });
  await assert.rejects(readValue(anonymous, 'app', 'password'), refusedWith('CAS_VALUE_NOT_FOUND'));
});

void test('a session that cannot be read is refused with every line that is wrong', async (t) => {
  const { connect } = await casUnderTest(t);
  const cas = await connect(await clientKeys());
  const text = `${sessionText({ name: 'app', mrenclave })}misspelt: 1\n`;
  await assert.rejects(postSession(cas, text), (error: unknown) => {
    refusedWith('CAS_SESSION_INVALID')(error);
    assert.match(((error as RefusedByCas).cause as Error).message, /^line \d+ column 1: .*misspelt/);
    return true;
  });
});

void test('a refusal stays readable, however long what it quotes', async (t) => {
  const { connect } = await casUnderTest(t);
  const cas = await connect(await clientKeys());
  const text = `${sessionText({ name: 'app', mrenclave })}${'m'.repeat(200_000)}: 1\n`;
  await assert.rejects(postSession(cas, text), refusedWith('CAS_SESSION_INVALID'));
});

void test('all public values of a session are audited, however many', async (t) => {
  const { connect, folder } = await casUnderTest(t);
  const count = 250;
  const secrets = Array.from(
    { length: count },
    (_, i) => `  - {name: s${i}, kind: ascii, value: "${i}", export_public: true}`,
  ).join('\n');
  await postSession(
    await connect(await clientKeys()),
    `name: many\nversion: "0.3.12"\nsecrets:\n${secrets}\n`,
  );
  const { values } = await readValues(await connect(), 'many');
  assert.equal(Object.keys(values).length, count);
  const log = readFileSync(join(folder, 'state', 'audit.jsonl'), 'utf8');
  assert.ok(log.includes('"s0"') && log.includes(`"s${count - 1}"`));
});

void test('CAS proves itself over the very connection that asks', async (t) => {
  const { connect, vendor, cas } = await casUnderTest(t);
  const verifier = evidenceVerifier({ insecureSimulatedVendor: vendor });
  const [mine, other] = [await connect(), await connect()];
  const nonce = new Uint8Array(32).fill(7);
  const { evidence } = await attest(mine, nonce);
  const verdict = await verifier.verify({
    format: 'sgx',
    evidence: Buffer.from(evidence, 'base64'),
    now: new Date(),
    watermarks: new MemoryWatermarks(),
  });
  const policy = (connection: CasConnection, asked: Uint8Array = nonce) => ({
    acceptSimulation: true,
    tolerate: [],
    ignoreAdvisories: [],
    sgx: [{ mrenclave: casMeasurement }],
    reportData: reportData({
      role: 'cas-to-client',
      publicKey: connection.publicKey,
      exporter: connection.exporter,
      nonce: asked,
      configId: '',
      casIdentity: connection.publicKey,
    }),
  });
  assert.equal(appraise(verdict, policy(mine)).accepted, true);
  assert.equal(appraise(verdict, policy(other)).accepted, false, 'evidence for another connection');
  assert.equal(
    appraise(verdict, policy(mine, fromHex('00'.repeat(32)))).accepted,
    false,
    'evidence for another nonce',
  );
  assert.equal(mine.identity, cas.identity);
  const { identity, everAcceptedSimulation } = await version(mine);
  assert.equal(identity, cas.identity);
  assert.equal(everAcceptedSimulation, false);
});

void test('a client refuses a CAS with another key before it sends anything', async (t) => {
  const { cas } = await casUnderTest(t);
  await assert.rejects(
    CasConnection.open({
      address: { host: '127.0.0.1', port: cas.clientAddress.port },
      pinned: '0'.repeat(64),
      timeout: 5000,
    }),
    (error) => error instanceof ApiError && error.code === 'API_OTHER_CAS',
  );
});

void test('requests that are too large, too many or nonsense get an answer that says so', async (t) => {
  const { connect, cas } = await casUnderTest(t, {
    limits: { rate: { perSecond: 1, burst: 12, callers: 10 } },
  });
  const client = await connect(await clientKeys());
  const call = (method: 'GET' | 'POST' | 'PUT', path: string, content?: string) =>
    client.exchange({
      method,
      path,
      ...(content === undefined ? {} : { body: { type: 'application/yaml', content: Buffer.from(content) } }),
    });
  await assert.rejects(
    call('POST', '/v1/sessions', '#'.repeat(2 ** 20 + 1)),
    refusedWith('CAS_REQUEST_TOO_LARGE'),
  );
  const again = await connect(await clientKeys());
  const ask = (method: 'GET' | 'POST' | 'PUT', path: string, content?: string) =>
    again.exchange({
      method,
      path,
      ...(content === undefined
        ? {}
        : { body: { type: 'application/yaml', content: Buffer.from(content, 'latin1') } }),
    });
  await assert.rejects(ask('GET', '/nowhere'), refusedWith('CAS_ROUTE_NOT_FOUND'));
  await assert.rejects(ask('GET', '/v1/sessions/%ff'), refusedWith('CAS_REQUEST_INVALID'));
  await assert.rejects(ask('GET', '/v1/values/nonsense'), refusedWith('CAS_ROUTE_NOT_FOUND'));
  await assert.rejects(ask('POST', '/v1/sessions', '\xff\xfe'), refusedWith('CAS_REQUEST_INVALID'));
  await assert.rejects(ask('POST', '/v1/attest', '{"nonce": 1}'), refusedWith('CAS_MEDIA_TYPE'));
  await assert.rejects(
    ask('PUT', '/v1/sessions/b', sessionText({ name: 'a', mrenclave })),
    refusedWith('CAS_SESSION_INVALID'),
  );
  await assert.rejects(async () => {
    for (let i = 0; i < 20; i++) await ask('GET', '/v1/version');
  }, refusedWith('CAS_RATE_LIMITED'));
  assert.equal((await version(await connect())).identity, cas.identity);
});

void test('no connection is resumed: each proves its keys anew', async (t) => {
  const { cas } = await casUnderTest(t);
  const keys = await clientKeys();
  for (const port of [cas.clientAddress.port, cas.serviceAddress.port]) {
    const handshake = async (
      session: Buffer | undefined,
    ): Promise<{ reused: boolean; ticket: Buffer | undefined }> => {
      const socket = connect({
        port,
        host: '127.0.0.1',
        rejectUnauthorized: false,
        ALPNProtocols: [port === cas.clientAddress.port ? 'http/1.1' : attestationProtocol],
        key: keys.privateKey,
        cert: keys.certificate,
        ...(session === undefined ? {} : { session }),
      });
      let ticket: Buffer | undefined;
      socket.on('session', (given: Buffer) => (ticket = given));
      socket.on('error', () => {});
      await once(socket, 'secureConnect');
      await new Promise((resolve) => setTimeout(resolve, 30));
      const reused = socket.isSessionReused();
      socket.destroy();
      return { reused, ticket };
    };
    const { ticket } = await handshake(undefined);
    assert.equal((await handshake(ticket)).reused, false);
  }
});

void test('TLS below 1.3 is refused', async (t) => {
  const { cas } = await casUnderTest(t);
  await assert.rejects(
    new Promise((resolve, reject) => {
      const socket = connect({
        port: cas.clientAddress.port,
        host: '127.0.0.1',
        maxVersion: 'TLSv1.2',
        rejectUnauthorized: false,
      });
      socket.once('secureConnect', resolve).once('error', reject);
    }),
  );
});

void test('nothing of a session stands readable on the disk of CAS', async (t) => {
  const { connect, folder, cas } = await casUnderTest(t);
  const client = await connect(await clientKeys());
  await postSession(client, sessionText({ name: 'very-special-name', mrenclave }));
  await cas.close();
  const bytes = readFileSync(join(folder, 'state', 'cas.db')).toString('latin1');
  for (const clear of ['very-special-name', 'pass word', mrenclave])
    assert.equal(bytes.includes(clear), false);
  assert.equal(readFileSync(join(folder, 'state', 'audit.jsonl'), 'utf8').includes('pass word'), false);
});
