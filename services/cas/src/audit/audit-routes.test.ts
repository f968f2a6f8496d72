import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import * as v from 'valibot';
import { inclusion, newestCheckpoint, sessionRecords } from '@ensconce/api/audit-client';
import { call } from '@ensconce/api/call';
import { postSession, readSession, readValue } from '@ensconce/api/client';
import { RefusedByCas } from '@ensconce/api/errors';
import { routes } from '@ensconce/api/routes';
import { AuditError } from '@ensconce/audit/errors';
import { auditEvent, releasedFrom, type AuditEvent } from '@ensconce/audit/event';
import { leafHash, verifyInclusion } from '@ensconce/audit/proof';
import { canonicalJson, type Json } from '@ensconce/base/json';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { keyHashOfCertificate } from '@ensconce/policy/key-hash';
import { casUnderTest, clientKeys } from '../../test/cas-under-test.ts';
import { attestOnce, imageFor, measure } from '../../test/service-under-test.ts';
import { sessionText } from '../../test/session-text.ts';

const mrenclave = 'aa'.repeat(32);

const refusedWith = (reason: string) => (error: unknown) => {
  assert.ok(error instanceof RefusedByCas, String(error));
  assert.equal(error.reason, reason);
  return true;
};

const eventsOf = (records: readonly { readonly event: unknown }[]): AuditEvent[] =>
  records.map(({ event }) => v.parse(auditEvent, event));

void test('who owns a secret learns whether it was ever released, to what code, on what machine', async (t) => {
  const { cas, connect, vendor } = await casUnderTest(t);
  const image = imageFor(cas);
  const owner = await connect(await clientKeys('data owner'));
  const other = await connect(await clientKeys('application owner'));
  await postSession(
    owner,
    'name: data\nversion: "0.3.12"\nsecrets:\n' +
      '  - {name: key, kind: ascii, value: "of the data", export: [{session: app}]}\n' +
      '  - {name: unused, kind: ascii, value: "kept", export: [{session: app}]}\n',
  );
  const text = sessionText({
    name: 'app',
    mrenclave: measure(image),
    environment: { KEY: '$$SCONE::data_key$$' },
  });
  await postSession(
    other,
    text.replace(
      'secrets:\n',
      'secrets:\n  - {name: data_key, import: {session: data, secret: key}}\n' +
        '  - {name: data_unused, import: {session: data, secret: unused}}\n',
    ),
  );
  const before = await sessionRecords(nodeCrypto, owner, 'data', undefined);
  assert.deepEqual(
    eventsOf(before.records).map(({ type }) => type),
    ['Session created'],
  );
  const { answer } = await attestOnce({ vendor, cas, configId: 'app/app', image });
  assert.equal(answer.type, 'configured');
  const after = await sessionRecords(nodeCrypto, owner, 'data', before.checkpoint.checkpoint);
  const [release] = eventsOf(after.records);
  assert.equal(release?.type, 'Service attested');
  assert.ok(release?.type === 'Service attested');
  assert.deepEqual(releasedFrom(release, 'data'), { secrets: ['key'], volumes: [] });
  const { evidence, session, service } = release;
  assert.deepEqual([session, service], ['app', 'app']);
  assert.equal(evidence?.code, measure(image));
  assert.equal(evidence?.image, measure(image));
  assert.equal(evidence?.signer, '09'.repeat(32));
  assert.equal(evidence?.simulated, true);
  assert.match(evidence?.platform?.id ?? '', /^[0-9a-f]{32}$/);
  assert.equal(evidence?.tcbStatus, 'UpToDate');
  await assert.rejects(
    sessionRecords(nodeCrypto, other, 'data', undefined),
    refusedWith('CAS_SESSION_NOT_FOUND'),
    'the application owner may not read the session of the data',
  );
});

void test('a refusal is in the list of its session only where the program proved what it is', async (t) => {
  const { cas, connect, vendor } = await casUnderTest(t);
  const image = imageFor(cas);
  const owner = await connect(await clientKeys());
  await postSession(owner, sessionText({ name: 'app', mrenclave }));
  const refused = { vendor, cas, configId: 'app/app', image };
  await attestOnce(refused);
  await attestOnce({ ...refused, wrong: { reportData: { configId: 'app/other' } } });
  const { records } = await sessionRecords(nodeCrypto, owner, 'app', undefined);
  const events = eventsOf(records);
  assert.deepEqual(
    events.map(({ type }) => type),
    ['Service refused', 'Session created'],
  );
  const [event] = events;
  assert.ok(event?.type === 'Service refused');
  assert.equal(event.evidence?.code, measure(image));
  assert.match(event.reason.join(), /Unexpected enclave measurement/);
});

void test('a long list comes in pages and is whole', async (t) => {
  const { connect } = await casUnderTest(t, {
    limits: { rate: { perSecond: 10_000, burst: 10_000, callers: 10 } },
  });
  const owner = await connect(await clientKeys());
  await postSession(owner, sessionText({ name: 'app', mrenclave }));
  await postSession(owner, sessionText({ name: 'other', mrenclave }));
  for (let i = 0; i < 130; i++) {
    await readSession(owner, 'app');
    if (i % 7 === 0) await readSession(owner, 'other');
    if (i % 10 === 0) await readValue(owner, 'app', 'public');
  }
  const { records, checkpoint } = await sessionRecords(nodeCrypto, owner, 'app', undefined);
  assert.equal(records.length, 1 + 130 + 13);
  assert.equal(checkpoint.checkpoint.size, 1 + 2 + 130 + 19 + 13);
});

void test('a checkpoint continues the one before, and a record is proved to be in it', async (t) => {
  const { connect, folder } = await casUnderTest(t);
  const owner = await connect(await clientKeys());
  const first = await newestCheckpoint(nodeCrypto, owner, undefined);
  await postSession(owner, sessionText({ name: 'app', mrenclave }));
  const { checkpoint } = await newestCheckpoint(nodeCrypto, owner, first.checkpoint);
  assert.equal(checkpoint.size, 2);
  const lines = readFileSync(join(folder, 'state', 'audit.jsonl'), 'utf8')
    .trimEnd()
    .split('\n');
  const leaf = await leafHash(nodeCrypto, Buffer.from(lines[1] ?? ''));
  await verifyInclusion(nodeCrypto, checkpoint, 1, leaf, await inclusion(owner, 2, 2));
  await assert.rejects(inclusion(owner, 3, 2), refusedWith('CAS_AUDIT_RANGE'));
  await assert.rejects(inclusion(owner, 1, 9), refusedWith('CAS_AUDIT_RANGE'));
});

void test('a CAS whose whole state was put back is found out by who kept a checkpoint', async (t) => {
  const first = await casUnderTest(t);
  const { folder } = first;
  const keys = await clientKeys();
  await postSession(await first.connect(keys), sessionText({ name: 'app', mrenclave }));
  await first.cas.close();
  const saved = ['cas.db', 'audit.jsonl'].map((name) => {
    const path = join(folder, 'state', name);
    return { path, bytes: readFileSync(path) };
  });
  const second = await casUnderTest(t, { folder });
  const owner = await second.connect(keys);
  for (let i = 0; i < 5; i++) await readSession(owner, 'app');
  const kept = await newestCheckpoint(nodeCrypto, owner, undefined);
  await second.cas.close();
  for (const { path, bytes } of saved) writeFileSync(path, bytes);
  const third = await casUnderTest(t, { folder });
  const victim = await third.connect(keys);
  const forked = (error: unknown): boolean => error instanceof AuditError && error.code === 'AUDIT_FORKED';
  await assert.rejects(newestCheckpoint(nodeCrypto, victim, kept.checkpoint), forked, 'shorter');
  for (let i = 0; i < 9; i++) await readSession(victim, 'app');
  await assert.rejects(newestCheckpoint(nodeCrypto, victim, kept.checkpoint), forked, 'longer');
});

void test('the whole log is for auditors', async (t) => {
  const [auditor, owner] = [await clientKeys(), await clientKeys()];
  const { connect, folder } = await casUnderTest(t, {
    auditors: new Set([keyHashOfCertificate(auditor.certificate)]),
  });
  await postSession(await connect(owner), sessionText({ name: 'app', mrenclave }));
  const query = { from: '1' };
  const { records } = await call(await connect(auditor), routes.readAuditRecords, { query });
  const lines = records.map((record) => Buffer.from(canonicalJson(record as unknown as Json)).toString());
  assert.equal(`${lines.join('\n')}\n`, readFileSync(join(folder, 'state', 'audit.jsonl'), 'utf8'));
  await assert.rejects(
    call(await connect(owner), routes.readAuditRecords, { query }),
    refusedWith('CAS_AUDIT_FORBIDDEN'),
  );
  await assert.rejects(
    call(await connect(), routes.readAuditRecords, { query }),
    refusedWith('CAS_IDENTITY_REQUIRED'),
  );
});

void test('records of others are not had by asking for them as if they were of the own session', async (t) => {
  const { connect } = await casUnderTest(t);
  const [mine, theirs] = [await connect(await clientKeys()), await connect(await clientKeys())];
  await postSession(theirs, sessionText({ name: 'theirs', mrenclave }));
  await postSession(mine, sessionText({ name: 'mine', mrenclave }));
  await assert.rejects(
    call(mine, routes.readSessionRecords, {
      parameters: { name: 'mine' },
      query: { before: '2', size: '3' },
    }),
    refusedWith('CAS_REQUEST_INVALID'),
  );
});

void test('a disk that is changed under a running CAS gives no answer', async (t) => {
  const { connect, folder } = await casUnderTest(t);
  const owner = await connect(await clientKeys());
  await postSession(owner, sessionText({ name: 'app', mrenclave }));
  const path = join(folder, 'state', 'audit.jsonl');
  writeFileSync(path, readFileSync(path, 'utf8').replaceAll('"Session created"', '"Session creates"'));
  await assert.rejects(sessionRecords(nodeCrypto, owner, 'app', undefined), refusedWith('CAS_INTERNAL'));
});
