import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sessionOfSecrets } from '../../test/session-of-secrets.ts';
import { stateUnderTest, type StateUnderTest } from '../../test/state-under-test.ts';
import type { StartRecord } from '../starts/start-record.ts';
import { deleteSession } from './delete-session.ts';
import { changesOf } from './sessions.ts';

const day = 86_400_000;

const sessionText = (name: string, more = '', service = ''): string =>
  sessionOfSecrets({
    name,
    mrenclave: 'aa'.repeat(32),
    layer: '1'.repeat(64),
    environment: { X: '$$SCONE::x$$', CERT: '$$SCONE::cert$$' },
    secrets:
      '  - {name: x, kind: ascii}\n  - {name: key, kind: private-key}\n  - {name: cert, kind: x509, private_key: key, valid_for: 3 days}\n',
    more,
    service,
  });

const second = (text: string): string =>
  text.replace(
    'images:\n',
    '  - {name: second, image_name: image, command: /bin/b, mrenclaves: ["bb"]}\nimages:\n',
  );

/** The start record that a start would take whose session is in nobody's memory. */
function recordOf(under: StateUnderTest, service = 'app'): StartRecord | undefined {
  const found = under.cold().sessions.findForStart('s', service, new Date(under.clock.now));
  return found !== undefined && 'of' in found ? found : undefined;
}

function environmentOf(record: StartRecord | undefined): Readonly<Record<string, string>> {
  assert.ok(record, 'a start record expected');
  const { environment } = JSON.parse(Buffer.from(record.configuration.json).toString()) as {
    environment: Record<string, string>;
  };
  return environment;
}

void test('a version has the start record of no other, from the same commit on', async (t) => {
  const under = await stateUnderTest(t);
  const { store } = under.state;
  const { version } = await under.write(sessionText('s'));
  const before = store.sequence;
  assert.equal(recordOf(under)?.hash, version.hash);
  const next = await under.write(
    `${sessionText('s', 'security: {singleton_enclaves: true}')}predecessor: ${version.hash}\n`,
  );
  assert.equal(store.sequence, before + 1, 'no time between version and record');
  const record = recordOf(under);
  assert.equal(record?.hash, next.version.hash);
  assert.equal(record?.terms.security.singletonEnclaves, true);
});

void test('a version that must not have one leaves nothing of the one before', async (t) => {
  const under = await stateUnderTest(t);
  const { version } = await under.write(sessionText('s'));
  const again = await under.write(
    `${sessionText('s', 'security: {service_access_token: token}')}predecessor: ${version.hash}\n`,
  );
  assert.equal(recordOf(under), undefined);
  assert.equal(under.state.store.read('start', 's/app')?.length, 0);
  await under.write(`${sessionText('s')}predecessor: ${again.version.hash}\n`);
  assert.ok(recordOf(under));
});

void test('a service that is removed has none, and what it gave is gone', async (t) => {
  const under = await stateUnderTest(t);
  const { version } = await under.write(second(sessionText('s')));
  assert.ok(recordOf(under, 'app'));
  assert.ok(recordOf(under, 'second'));
  await under.write(`${sessionText('s')}predecessor: ${version.hash}\n`);
  assert.ok(recordOf(under, 'app'));
  assert.equal(recordOf(under, 'second'), undefined);
  assert.equal(under.state.store.read('start', 's/second')?.length, 0);
});

void test('a session that is deleted has none; one that returns has its own', async (t) => {
  const under = await stateUnderTest(t);
  const { version } = await under.write(sessionText('s'));
  const before = environmentOf(recordOf(under));
  const { sessions } = under.cold();
  const tombstone = await deleteSession(
    { state: under.state, sessions, now: () => new Date(under.clock.now) },
    {
      name: 's',
      rights: { keyHash: version.creator.keyHash, signers: undefined },
      ifMatch: version.hash,
    },
  );
  assert.equal(under.cold().sessions.findForStart('s', 'app', new Date(under.clock.now)), undefined);
  assert.equal(sessions.findForStart('s', 'app', new Date(under.clock.now)), undefined);
  assert.equal(under.state.store.read('start', 's/app')?.length, 0);
  await under.write(`${sessionText('s')}predecessor: ${tombstone.hash}\n`);
  assert.notEqual(environmentOf(recordOf(under))['X'], before['X']);
});

void test('a certificate that is due is made by the usual way, and the record has the new one', async (t) => {
  const under = await stateUnderTest(t);
  await under.write(sessionText('s'));
  const before = environmentOf(recordOf(under));
  const until = recordOf(under)?.until ?? 0;
  under.clock.now = until - 1;
  assert.ok(recordOf(under));
  under.clock.now = until;
  assert.equal(recordOf(under), undefined);
  const { sessions, values } = under.cold();
  const found = sessions.findForStart('s', 'app', new Date(under.clock.now));
  assert.ok(found !== undefined && !('of' in found));
  const renewed = await values.of(found, new Set(['cert', 'x']));
  assert.equal(renewed.stored.stored.hash, found.stored.hash, 'the version is the same');
  const after = environmentOf(recordOf(under));
  assert.notEqual(after['CERT'], before['CERT']);
  assert.equal(after['X'], before['X']);
  assert.ok((recordOf(under)?.until ?? 0) > until + day);
});

void test('a record that was left behind counts for nothing', async (t) => {
  const under = await stateUnderTest(t);
  await under.write(sessionText('s'));
  const found = under.cold().sessions.find('s');
  assert.ok(found);
  const { store } = under.state;
  // As a CAS that knows no start records writes: the session alone.
  const changes = changesOf(found, store.nextVersionOf('session', 's'));
  store.commit(
    changes.filter(({ table }) => table !== 'start'),
    undefined,
  );
  assert.ok((store.read('start', 's/app')?.length ?? 0) > 0);
  assert.equal(recordOf(under), undefined);
});

void test('a record of another format, or of a database before, sends the start the usual way', async (t) => {
  const under = await stateUnderTest(t);
  await under.write(sessionText('s'));
  const { store } = under.state;
  const bytes = Buffer.from(store.read('start', 's/app') ?? []).toString();
  for (const other of [bytes.replace('{"format":1', '{"format":2'), bytes.replace('"until"', '"till"')]) {
    assert.notEqual(other, bytes);
    store.commit([{ table: 'start', name: 's/app', bytes: Buffer.from(other) }], undefined);
    assert.equal(recordOf(under), undefined);
    assert.ok(under.cold().sessions.findForStart('s', 'app', new Date(under.clock.now)));
  }
});

void test('a write that fails leaves version and record as they were', async (t) => {
  const under = await stateUnderTest(t);
  const { version } = await under.write(sessionText('s'));
  const { sessions } = under.cold();
  const found = sessions.find('s');
  assert.ok(found);
  const name = { ...found.stored, name: 'x'.repeat(40 * 1024 * 1024) };
  assert.throws(
    () =>
      sessions.write({ ...found, secrets: { version: 1, secrets: {} } }, under.state.audit.position, [name]),
    { code: 'CAS_STATE_WRITE' },
  );
  assert.equal(recordOf(under)?.hash, version.hash);
  assert.ok(environmentOf(recordOf(under))['X']);
});

void test('a session that is asked for again soon is read whole, and then kept', async (t) => {
  const under = await stateUnderTest(t);
  await under.write(sessionText('s'));
  const { sessions } = under.cold();
  const ask = (): boolean => 'of' in (sessions.findForStart('s', 'app', new Date(under.clock.now)) ?? {});
  assert.deepEqual([ask(), ask(), ask()], [true, false, false]);
  assert.equal(sessions.find('s'), sessions.find('s'));
});
