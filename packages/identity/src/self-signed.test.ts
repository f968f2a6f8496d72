import assert from 'node:assert/strict';
import { createPublicKey, X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { publicKeyOf, selfSigned } from './self-signed.ts';

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
