import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deleteSession, listSessions, postSession, readHistory, readSession } from '@ensconce/api/client';
import { keyHashOfCertificate } from '@ensconce/policy/key-hash';
import { casUnderTest, clientKeys } from '../../test/cas-under-test.ts';
import { refusedWith } from '../../test/refused.ts';

const head = (name: string, predecessor = '~'): string =>
  `name: ${name}\nversion: "0.3.12"\npredecessor: ${predecessor}\n`;
const importing = (hash?: string): string =>
  `secrets: [{name: who, import: {session: board, secret: who${hash === undefined ? '' : `, session_hash: ${hash}`}}}]\n`;
const board = (who: string): string =>
  `secrets: [{name: who, kind: config-fragment, value: ${who}, export: {namespace: /}}]\n`;
const notFound = refusedWith('CAS_SESSION_NOT_FOUND');

void test('who may do what with a session is whom a fragment names now', async (t) => {
  const { connect } = await casUnderTest(t);
  const [owner, member, stranger] = [await clientKeys('o'), await clientKeys('m'), await clientKeys('s')];
  const key = keyHashOfCertificate(member.certificate);
  const cas = await connect(owner);
  const [asMember, asStranger] = [await connect(member), await connect(stranger)];
  const first = await postSession(cas, head('board') + board(`[${key}]`));
  const rules = 'access_policy: {read: [CREATOR, $$SCONE::who$$], update: [CREATOR, $$SCONE::who$$]}\n';
  const { hash } = await postSession(cas, head('app') + rules + importing());
  assert.equal((await readSession(asMember, 'app')).hash, hash);
  assert.equal((await readHistory(asMember, 'app')).versions.length, 1);
  assert.deepEqual(await listSessions(asMember, { namespace: 'app' }), { sessions: [], next: null });
  await assert.rejects(readSession(asStranger, 'app'), notFound);
  const updated = await postSession(asMember, head('app', hash) + rules + importing());
  await postSession(asMember, head('app/below'));

  await postSession(cas, head('board', first.hash) + board('[]'));
  await assert.rejects(readSession(asMember, 'app'), notFound);
  await assert.rejects(postSession(asMember, head('app', updated.hash) + rules + importing()), notFound);
  await assert.rejects(deleteSession(asMember, 'app', updated.hash), notFound);
  assert.equal((await readSession(cas, 'app')).hash, updated.hash);
});

void test('a fragment lets everybody in only where its version is named by its hash', async (t) => {
  const { connect } = await casUnderTest(t);
  const cas = await connect(await clientKeys('owner'));
  const anybody = await connect(await clientKeys('anybody'));
  const { hash } = await postSession(cas, head('board') + board('[ANY]'));
  const rules = 'access_policy: {read: [$$SCONE::who$$]}\n';
  await postSession(cas, head('unpinned') + rules + importing());
  await postSession(cas, head('pinned') + rules + importing(hash));
  await postSession(cas, head('local') + rules + board('[ANY]'));
  await assert.rejects(readSession(anybody, 'unpinned'), notFound);
  await assert.rejects(readSession(cas, 'unpinned'), notFound, 'nor its creator, who is not named');
  assert.equal((await readSession(anybody, 'pinned')).name, 'pinned');
  assert.equal((await readSession(anybody, 'local')).name, 'local');
});

void test('CREATOR in a fragment is the creator of the session that imports it', async (t) => {
  const { connect } = await casUnderTest(t);
  const [one, two] = [await connect(await clientKeys('one')), await connect(await clientKeys('two'))];
  await postSession(one, head('board') + board('[CREATOR]'));
  await postSession(two, `${head('app')}access_policy: {read: [$$SCONE::who$$]}\n${importing()}`);
  assert.equal((await readSession(two, 'app')).name, 'app');
  await assert.rejects(readSession(one, 'app'), notFound);
});
