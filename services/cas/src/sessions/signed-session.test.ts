import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { test } from 'node:test';
import { call } from '@ensconce/api/call';
import { postSignedDeletion, readSession } from '@ensconce/api/client';
import type { CasConnection } from '@ensconce/api/connection';
import { RefusedByCas } from '@ensconce/api/errors';
import { routes } from '@ensconce/api/routes';
import type { SignedDeletion, SignedSession } from '@ensconce/api/signed-session';
import { fromHex } from '@ensconce/base/bytes';
import { creatorFromSigner, keyHashOfCertificate, keyHashOfDigest } from '@ensconce/policy/key-hash';
import { parseSessionOrThrow } from '@ensconce/policy/parse';
import { signChange, versionOf, type SessionDeletion } from '@ensconce/policy/signature';
import { encryptSession } from '@ensconce/secrets/encrypted-session';
import { casUnderTest, clientKeys } from '../../test/cas-under-test.ts';

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const pem = publicKey.export({ type: 'spki', format: 'pem' });
const creator = creatorFromSigner(pem);

function text(name: string, more: Record<string, unknown> = {}): string {
  return JSON.stringify({
    name,
    version: '0.3.12',
    creator: { signer: pem },
    access_policy: { update: [{ signer: pem }] },
    ...more,
  });
}

/** @param identity hex, of the CAS that it is for. */
function signed(session: string, identity: string): SignedSession {
  const scope = { cas: keyHashOfDigest(fromHex(identity, 32)), expires: new Date(Date.now() + 60_000) };
  return {
    format: 'ensconce-signed-session/1',
    session,
    signatures: [signChange(versionOf(parseSessionOrThrow(session)), scope, privateKey)],
  };
}

const refused = (code: string) => (error: unknown) => error instanceof RefusedByCas && error.reason === code;

function post(
  cas: CasConnection,
  body: SignedSession,
): Promise<{ hash: string; predecessor: string | null }> {
  return call(cas, routes.postSignedSession, { body });
}

void test('whoever carries a signed session, its signers write it', async (t) => {
  const { cas, connect } = await casUnderTest(t, { creators: new Set([creator.keyHash]) });
  const carrier = await connect();
  const created = await post(carrier, signed(text('board'), cas.identity));
  const update = text('board', { predecessor: created.hash, services: [] });
  const updated = await post(carrier, signed(update, cas.identity));
  assert.equal(updated.predecessor, created.hash);
  await assert.rejects(post(carrier, signed(update, cas.identity)), refused('CAS_PREDECESSOR_MISMATCH'));
  await assert.rejects(
    readSession(await connect(await clientKeys()), 'board'),
    refused('CAS_SESSION_NOT_FOUND'),
  );
});

void test('a signature for another text or CAS, and one by another creator, write nothing and tell nothing', async (t) => {
  const { cas, connect } = await casUnderTest(t);
  const carrier = await connect();
  const wrong = refused('CAS_SIGNATURE_INVALID');
  const good = signed(text('board'), cas.identity);
  await assert.rejects(post(carrier, { ...good, session: text('other') }), wrong);
  await assert.rejects(post(carrier, signed(text('board'), '00'.repeat(32))), wrong);
  await assert.rejects(
    post(carrier, signed(JSON.stringify({ name: 'board', version: '0.3' }), cas.identity)),
    refused('CAS_SESSION_INVALID'),
  );
  const { hash } = await post(carrier, good);
  const stranger = generateKeyPairSync('ed25519');
  const strangerPem = stranger.publicKey.export({ type: 'spki', format: 'pem' });
  for (const name of ['board', 'absent']) {
    const session = text(name, { predecessor: hash, creator: { signer: strangerPem } });
    const scope = { cas: keyHashOfDigest(fromHex(cas.identity, 32)), expires: new Date(Date.now() + 60_000) };
    const signature = signChange(versionOf(parseSessionOrThrow(session)), scope, stranger.privateKey);
    await assert.rejects(
      post(carrier, { format: 'ensconce-signed-session/1', session, signatures: [signature] }),
      refused('CAS_SESSION_NOT_FOUND'),
      name,
    );
  }
});

void test('a session is deleted by signatures over it as it stands, whoever carries them', async (t) => {
  const { cas, connect } = await casUnderTest(t);
  const [carrier, reader] = [await connect(), await clientKeys()];
  const other = generateKeyPairSync('ed25519');
  const otherPem = other.publicKey.export({ type: 'spki', format: 'pem' });
  const board = text('board', {
    access_policy: { read: [keyHashOfCertificate(reader.certificate)], update: [{ signer: pem }] },
    ensconce: { delete: [{ 'require-all': [{ signer: pem }, { signer: otherPem }] }] },
  });
  const { hash } = await post(carrier, signed(board, cas.identity));
  const { id } = await readSession(await connect(reader), 'board');
  const scope = { cas: keyHashOfDigest(fromHex(cas.identity, 32)), expires: new Date(Date.now() + 60_000) };
  const deletion = (of: SessionDeletion, ...keys: readonly KeyObject[]): SignedDeletion => ({
    format: 'ensconce-signed-deletion/1',
    name: of.name,
    id: of.id,
    hash: of.deletes,
    signatures: keys.map((key) => signChange(of, scope, key)),
  });
  const of = { name: 'board', id, deletes: hash };
  const both = [privateKey, other.privateKey] as const;
  const none = refused('CAS_SESSION_NOT_FOUND');
  await assert.rejects(postSignedDeletion(carrier, deletion(of, privateKey)), none);
  await assert.rejects(postSignedDeletion(carrier, deletion({ ...of, name: 'absent' }, ...both)), none);
  await assert.rejects(
    postSignedDeletion(carrier, deletion({ ...of, deletes: '00'.repeat(32) }, ...both)),
    refused('CAS_PRECONDITION_FAILED'),
  );
  await assert.rejects(
    postSignedDeletion(carrier, deletion({ ...of, id: '00'.repeat(16) }, ...both)),
    refused('CAS_PRECONDITION_FAILED'),
  );
  const moved = { ...deletion(of, ...both), id: '00'.repeat(16) };
  await assert.rejects(postSignedDeletion(carrier, moved), refused('CAS_SIGNATURE_INVALID'));

  const deleted = await postSignedDeletion(carrier, deletion(of, ...both));
  assert.deepEqual([deleted.name, deleted.predecessor], ['board', hash]);
  await assert.rejects(
    postSignedDeletion(carrier, deletion(of, ...both)),
    refused('CAS_SESSION_DELETED'),
    'what was deleted is not deleted twice',
  );
  const back = text('board', { predecessor: deleted.hash });
  assert.equal((await post(carrier, signed(back, cas.identity))).predecessor, deleted.hash);
  await assert.rejects(
    postSignedDeletion(carrier, deletion(of, ...both)),
    refused('CAS_PRECONDITION_FAILED'),
    'nor after it came back',
  );
});

void test('an encrypted session, signed or not, is read by the CAS that it is for alone', async (t) => {
  const { cas, connect } = await casUnderTest(t);
  const client = await connect(await clientKeys());
  const { key } = await call(client, routes.readEncryptionKey, {});
  const put = async (plain: string, to: string): Promise<string> =>
    (
      await call(client, routes.putEncryptedSession, {
        body: await encryptSession(plain, createPublicKey(to)),
      })
    ).name;
  assert.equal(await put('name: plain\nversion: "0.3"\n', key), 'plain');
  assert.equal(await put(JSON.stringify(signed(text('board'), cas.identity)), key), 'board');
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({
    type: 'spki',
    format: 'pem',
  });
  await assert.rejects(put('name: a\nversion: "0.3"\n', other), refused('CAS_SESSION_UNREADABLE'));
});
