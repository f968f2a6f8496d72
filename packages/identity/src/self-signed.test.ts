import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { publicKeyOf, selfSigned, selfSignedFor } from './self-signed.ts';

void test('an identity is a P-256 key with a certificate that it signed itself', async () => {
  const identity = await selfSigned('somebody', new Date('2026-01-01T00:00:00Z'));
  const certificate = new X509Certificate(identity.certificate);
  assert.equal(certificate.verify(certificate.publicKey), true);
  assert.equal(certificate.subject, 'CN=somebody');
  assert.equal(certificate.checkPrivateKey(identity.privateKey), true);
  assert.equal(certificate.validToDate.getUTCFullYear(), 9999);
  assert.deepEqual(
    Buffer.from(publicKeyOf(identity.certificate)),
    createPublicKey(identity.privateKey).export({ type: 'spki', format: 'der' }),
  );
});

void test('keys of the other kinds that sign sessions get certificates too', async () => {
  const keys = [generateKeyPairSync('ed25519'), generateKeyPairSync('ec', { namedCurve: 'P-384' })];
  for (const { privateKey, publicKey } of keys) {
    const { certificate } = await selfSignedFor(privateKey, 'board', new Date('2026-01-01T00:00:00Z'));
    assert.ok(new X509Certificate(certificate).verify(publicKey));
    assert.deepEqual(publicKeyOf(certificate), publicKey.export({ type: 'spki', format: 'der' }));
  }
});

void test('a key of a kind that peers may not know is refused', async () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
  await assert.rejects(selfSignedFor(privateKey, 'board', new Date()), TypeError);
});
