import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import {
  deleteSession,
  listSessions,
  postSession,
  postSignedDeletion,
  readHistory,
  readSession,
} from '@ensconce/api/client';
import { fromHex } from '@ensconce/base/bytes';
import { keyHashOfCertificate, keyHashOfDigest } from '@ensconce/policy/key-hash';
import { signChange } from '@ensconce/policy/signature';
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

void test('a reference in the rule for deletion is whom it names, and a tombstone knows whom it named', async (t) => {
  const { connect } = await casUnderTest(t);
  const [owner, member, stranger] = [await clientKeys('o'), await clientKeys('m'), await clientKeys('s')];
  const cas = await connect(owner);
  const [asMember, asStranger] = [await connect(member), await connect(stranger)];
  const key = keyHashOfCertificate(member.certificate);
  const first = await postSession(cas, head('board') + board(`[${key}]`));
  const rules =
    'access_policy: {read: [CREATOR], update: [$$SCONE::who$$]}\nensconce: {delete: [$$SCONE::who$$]}\n';
  const { hash } = await postSession(cas, head('app') + rules + importing());
  await assert.rejects(deleteSession(asStranger, 'app', hash), notFound);
  await assert.rejects(deleteSession(cas, 'app', hash), notFound, 'nor its creator, who is not named');
  const { hash: tombstone } = await deleteSession(asMember, 'app', hash);

  await postSession(
    cas,
    head('board', first.hash) + board(`[${keyHashOfCertificate(stranger.certificate)}]`),
  );
  const back = head('app', tombstone) + rules + importing();
  await assert.rejects(postSession(asStranger, back), notFound, 'nor whom the fragment names later');
  const returned = await postSession(asMember, back);
  assert.equal(returned.predecessor, tombstone);
  await assert.rejects(deleteSession(asMember, 'app', returned.hash), notFound);
  await deleteSession(asStranger, 'app', returned.hash);
});

void test('signers whom a reference in the rule for deletion stands for delete together', async (t) => {
  const { cas, connect } = await casUnderTest(t);
  const client = await connect(await clientKeys('owner'));
  const pairs = [generateKeyPairSync('ed25519'), generateKeyPairSync('ed25519')];
  const signers = pairs.map(({ publicKey }) => ({
    signer: publicKey.export({ type: 'spki', format: 'pem' }),
  }));
  await postSession(client, head('board') + board(JSON.stringify([{ 'require-all': signers }])));
  const rules = 'access_policy: {read: [CREATOR]}\nensconce: {delete: [$$SCONE::who$$]}\n';
  const { hash } = await postSession(client, head('app') + rules + importing());
  const { id } = await readSession(client, 'app');
  const scope = { cas: keyHashOfDigest(fromHex(cas.identity, 32)), expires: new Date(Date.now() + 60_000) };
  const signatures = pairs.map(({ privateKey }) =>
    signChange({ name: 'app', id, deletes: hash }, scope, privateKey),
  );
  const deletion = { format: 'ensconce-signed-deletion/1', name: 'app', id, hash } as const;
  await assert.rejects(
    postSignedDeletion(client, { ...deletion, signatures: signatures.slice(1) }),
    notFound,
  );
  assert.equal((await postSignedDeletion(client, { ...deletion, signatures })).predecessor, hash);
});
