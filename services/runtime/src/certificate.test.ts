import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { makeIdentity } from './certificate.ts';

void test('an identity is a fresh P-256 key with a certificate that it signed itself', () => {
  const identity = makeIdentity();
  const certificate = new X509Certificate(identity.certificatePem);
  const key = createPrivateKey(identity.privateKeyPem);
  assert.equal(key.asymmetricKeyDetails?.namedCurve, 'prime256v1');
  assert.equal(certificate.verify(certificate.publicKey), true);
  assert.equal(certificate.checkPrivateKey(key), true);
  assert.equal(certificate.checkIssued(certificate), true);
  assert.deepEqual(
    Buffer.from(identity.publicKey),
    certificate.publicKey.export({ type: 'spki', format: 'der' }),
  );
  const day = 86_400_000;
  assert.ok(certificate.validFromDate.getTime() < Date.now() - day / 2);
  assert.ok(certificate.validToDate.getTime() > Date.now() + 365 * day);
});

void test('every identity has another key', () => {
  const keys = Array.from({ length: 20 }, () => Buffer.from(makeIdentity().publicKey).toString('hex'));
  assert.equal(new Set(keys).size, keys.length);
});
