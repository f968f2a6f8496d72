import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { call } from '@ensconce/api/call';
import { readSession } from '@ensconce/api/client';
import type { CasConnection } from '@ensconce/api/connection';
import { RefusedByCas } from '@ensconce/api/errors';
import { routes } from '@ensconce/api/routes';
import type { SignedSession } from '@ensconce/api/signed-session';
import { fromHex } from '@ensconce/base/bytes';
import { creatorFromSigner, keyHashOfDigest } from '@ensconce/policy/key-hash';
import { parseSessionOrThrow } from '@ensconce/policy/parse';
import { signVersion, versionOf } from '@ensconce/policy/signature';
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
    signatures: [signVersion(versionOf(parseSessionOrThrow(session)), scope, privateKey)],
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
    const signature = signVersion(versionOf(parseSessionOrThrow(session)), scope, stranger.privateKey);
    await assert.rejects(
      post(carrier, { format: 'ensconce-signed-session/1', session, signatures: [signature] }),
      refused('CAS_SESSION_NOT_FOUND'),
      name,
    );
  }
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
