import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  deleteSession,
  listSessions,
  postSession,
  putSession,
  readHistory,
  readSession,
  readValues,
} from '@ensconce/api/client';
import type { CasConnection } from '@ensconce/api/connection';
import { keyHashOfCertificate } from '@ensconce/policy/key-hash';
import { casUnderTest, clientKeys } from '../../test/cas-under-test.ts';
import { refusedWith } from '../../test/refused.ts';
import { sessionText } from '../../test/session-text.ts';

const mrenclave = 'aa'.repeat(32);
const text = (name: string, more: { predecessor?: string; accessPolicy?: string; service?: string } = {}) =>
  sessionText({ name, mrenclave, ...more });

async function allNames(cas: CasConnection, namespace?: string, limit = 3): Promise<string[]> {
  const names: string[] = [];
  for (let cursor: string | undefined; ;) {
    const page = await listSessions(cas, { namespace, limit, cursor });
    assert.ok(page.sessions.length <= limit);
    names.push(...page.sessions.map(({ name }) => name));
    if (page.next === null) return names;
    cursor = page.next;
  }
}

void test('a session keeps its id through updates, deletion and return, also over a restart', async (t) => {
  const first = await casUnderTest(t);
  const keys = await clientKeys();
  const cas = await first.connect(keys);
  const created = await postSession(cas, text('app'));
  const { id } = await readSession(cas, 'app');
  const updated = await postSession(cas, text('app', { predecessor: created.hash, service: 'b' }));
  assert.equal((await readSession(cas, 'app')).id, id);
  const deleted = await deleteSession(cas, 'app', updated.hash);
  assert.equal(deleted.predecessor, updated.hash);
  await first.cas.close();

  const second = await casUnderTest(t, { folder: first.folder });
  const again = await second.connect(keys);
  await postSession(again, text('app', { predecessor: deleted.hash }));
  assert.equal((await readSession(again, 'app')).id, id);
  const { versions } = await readHistory(again, 'app');
  assert.deepEqual(
    versions.map(({ predecessor }) => predecessor),
    [deleted.hash, updated.hash, created.hash, null],
  );
  assert.deepEqual(
    versions.map(({ deleted: gone }) => gone !== null),
    [false, true, true, true],
  );
});

void test('a deleted session is gone for everybody, with its texts and values', async (t) => {
  const { connect, folder } = await casUnderTest(t);
  const cas = await connect(await clientKeys());
  const created = await postSession(cas, text('app'));
  assert.ok((await readValues(cas, 'app')).values['public']);
  await deleteSession(cas, 'app', created.hash);
  await assert.rejects(readSession(cas, 'app'), refusedWith('CAS_SESSION_DELETED'));
  await assert.rejects(readSession(cas, 'app', { hash: created.hash }), refusedWith('CAS_SESSION_DELETED'));
  await assert.rejects(readValues(cas, 'app'), refusedWith('CAS_VALUE_NOT_FOUND'));
  await assert.rejects(deleteSession(cas, 'app', created.hash), refusedWith('CAS_SESSION_DELETED'));
  const stranger = await connect(await clientKeys());
  for (const call of [
    readSession(stranger, 'app'),
    readHistory(stranger, 'app'),
    deleteSession(stranger, 'app', created.hash),
  ]) {
    await assert.rejects(call, refusedWith('CAS_SESSION_NOT_FOUND'));
  }
  assert.match(readFileSync(join(folder, 'state', 'audit.jsonl'), 'utf8'), /"type":"Session deleted"/);
});

void test("the name of a deleted session returns only to its owner, as the tombstone's successor", async (t) => {
  const { connect } = await casUnderTest(t);
  const [owner, updater, stranger] = [await clientKeys(), await clientKeys(), await clientKeys()];
  const cas = await connect(owner);
  const accessPolicy = `  read: [CREATOR]\n  update: [CREATOR, ${keyHashOfCertificate(updater.certificate)}]`;
  const created = await postSession(cas, text('app', { accessPolicy }));
  const { hash } = await deleteSession(cas, 'app', created.hash);
  const theirs = await connect(stranger);
  await assert.rejects(postSession(theirs, text('app')), refusedWith('CAS_SESSION_EXISTS', /it is taken/));
  await assert.rejects(
    postSession(theirs, text('app', { predecessor: hash })),
    refusedWith('CAS_SESSION_NOT_FOUND'),
  );
  await assert.rejects(postSession(cas, text('app')), refusedWith('CAS_SESSION_EXISTS', new RegExp(hash)));
  await assert.rejects(
    postSession(cas, text('app', { predecessor: created.hash })),
    refusedWith('CAS_PREDECESSOR_MISMATCH'),
  );
  await postSession(await connect(updater), text('app', { predecessor: hash, accessPolicy }));
  const { creator } = await readSession(cas, 'app');
  assert.equal(creator.keyHash, keyHashOfCertificate(owner.certificate), 'the creator stays who it was');
});

void test('who may delete is what the session says, whoever may update it', async (t) => {
  const { connect } = await casUnderTest(t);
  const [owner, deleter] = [await clientKeys(), await clientKeys()];
  const rule = (who: string) => text('app').replace('ensconce:\n', `ensconce:\n  delete: [${who}]\n`);
  const cas = await connect(owner);
  const { hash } = await postSession(cas, rule(keyHashOfCertificate(deleter.certificate)));
  await assert.rejects(deleteSession(cas, 'app', hash), refusedWith('CAS_SESSION_NOT_FOUND'));
  await deleteSession(await connect(deleter), 'app', hash);
});

void test('what is deleted or replaced is what was seen', async (t) => {
  const { connect } = await casUnderTest(t);
  const cas = await connect(await clientKeys());
  const { hash } = await postSession(cas, text('app'));
  await assert.rejects(
    cas.exchange({ method: 'DELETE', path: '/v1/sessions/app' }),
    refusedWith('CAS_PRECONDITION_REQUIRED'),
  );
  await assert.rejects(deleteSession(cas, 'app', '0'.repeat(64)), refusedWith('CAS_PRECONDITION_FAILED'));
  const next = text('app', { predecessor: hash, service: 'b' });
  await assert.rejects(
    putSession(cas, 'app', next, { ifMatch: '0'.repeat(64) }),
    refusedWith('CAS_PRECONDITION_FAILED'),
  );
  const first = await putSession(cas, 'app', next, { ifMatch: hash });
  const second = await putSession(cas, 'app', next);
  assert.deepEqual(second, first, 'the same again changes nothing');
  assert.equal((await readHistory(cas, 'app')).versions.length, 2);
  await assert.rejects(postSession(cas, next), refusedWith('CAS_PREDECESSOR_MISMATCH'));
});

void test('a list is in order, in pages, and holds still while sessions come and go', async (t) => {
  const { connect } = await casUnderTest(t, {
    limits: { rate: { perSecond: 1e6, burst: 1e6, callers: 10 } },
  });
  const cas = await connect(await clientKeys());
  await postSession(cas, text('team'));
  const names = ['team/b', 'team/a', 'team/d', 'team/c', 'team/e'];
  const hashes = new Map<string, string>();
  for (const name of names) hashes.set(name, (await postSession(cas, text(name))).hash);
  await postSession(cas, text('team/a/inner'));
  assert.deepEqual(await allNames(cas, 'team'), names.toSorted());

  const first = await listSessions(cas, { namespace: 'team', limit: 2 });
  assert.equal(first.next, 'team/b');
  await deleteSession(cas, 'team/b', hashes.get('team/b') ?? '');
  await postSession(cas, text('team/aa'));
  const rest = await listSessions(cas, { namespace: 'team', cursor: first.next ?? '' });
  assert.deepEqual(
    rest.sessions.map(({ name }) => name),
    ['team/c', 'team/d', 'team/e'],
  );
  assert.deepEqual(await allNames(cas), ['team'], 'the top level has what is in no namespace');
});

void test('the names in a namespace are for whom its session lets list or create', async (t) => {
  const { connect } = await casUnderTest(t);
  const [owner, lister, creator] = [await clientKeys(), await clientKeys(), await clientKeys()];
  const hash = ({ certificate }: { certificate: string }) => keyHashOfCertificate(certificate);
  const accessPolicy = `  read: [CREATOR]\n  create_sessions: [${hash(creator)}]\n  list_sessions: [${hash(lister)}]`;
  const cas = await connect(owner);
  await postSession(cas, text('team', { accessPolicy }));
  await postSession(await connect(creator), text('team/app'));
  for (const keys of [lister, creator])
    assert.deepEqual(await allNames(await connect(keys), 'team'), ['team/app']);
  for (const keys of [owner, undefined, await clientKeys()]) {
    const other = await connect(keys);
    await assert.rejects(listSessions(other, { namespace: 'team' }), refusedWith('CAS_SESSION_NOT_FOUND'));
    await assert.rejects(listSessions(other, { namespace: 'none' }), refusedWith('CAS_SESSION_NOT_FOUND'));
  }
});

void test('at top level everybody sees their own sessions, and the owner of CAS all', async (t) => {
  const owner = await clientKeys();
  const { connect } = await casUnderTest(t, { creators: new Set([keyHashOfCertificate(owner.certificate)]) });
  const cas = await connect(owner);
  const other = await clientKeys();
  const rule = `  create_sessions: [${keyHashOfCertificate(other.certificate)}]\n  list_sessions: [NONE]`;
  await postSession(cas, text('mine'));
  await postSession(cas, text('/', { accessPolicy: rule }));
  await postSession(await connect(other), text('theirs'));
  assert.deepEqual(await allNames(cas), ['mine', 'theirs']);
  assert.deepEqual(await allNames(await connect(await clientKeys())), []);
  assert.deepEqual(await allNames(await connect()), []);
});

void test('the root namespace is created by the owner of CAS alone', async (t) => {
  const owner = await clientKeys();
  const { connect } = await casUnderTest(t, { creators: new Set([keyHashOfCertificate(owner.certificate)]) });
  await assert.rejects(
    postSession(await connect(await clientKeys()), text('/')),
    refusedWith('CAS_SESSION_FORBIDDEN'),
  );
  const cas = await connect(owner);
  await postSession(cas, text('/'));
  assert.equal((await readSession(cas, '/')).name, '/');
  const open = await casUnderTest(t);
  await assert.rejects(
    postSession(await open.connect(owner), text('/')),
    refusedWith('CAS_SESSION_FORBIDDEN'),
  );
});

void test('history comes in pages', async (t) => {
  const { connect } = await casUnderTest(t);
  const cas = await connect(await clientKeys());
  const hashes: string[] = [];
  for (let i = 0; i < 5; i++) {
    const predecessor = hashes.at(-1);
    const more = predecessor === undefined ? {} : { predecessor };
    hashes.push((await postSession(cas, text('app', { ...more, service: `s${i}` }))).hash);
  }
  const first = await readHistory(cas, 'app', { limit: 3 });
  const second = await readHistory(cas, 'app', { limit: 3, cursor: first.next ?? '' });
  assert.equal(second.next, null);
  assert.deepEqual(
    [...first.versions, ...second.versions].map(({ hash }) => hash),
    hashes.toReversed(),
  );
});
