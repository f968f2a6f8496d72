import assert from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { rootCertificates } from 'node:tls';
import { X509Error } from './errors.ts';
import { subjectPublicKeyInfo } from './spki.ts';

void test('the key of every root certificate that Node trusts is the one that OpenSSL finds there', () => {
  assert.ok(rootCertificates.length > 50);
  for (const pem of rootCertificates) {
    const certificate = new X509Certificate(pem);
    const expected = certificate.publicKey.export({ type: 'spki', format: 'der' });
    assert.deepEqual(Buffer.from(subjectPublicKeyInfo(certificate.raw)), expected, certificate.subject);
  }
});

void test('what is no certificate is refused', () => {
  const { publicKey } = generateKeyPairSync('ed25519');
  const der = new X509Certificate(rootCertificates[0] as string).raw;
  const cases: [string, Uint8Array][] = [
    ['nothing', new Uint8Array()],
    ['a public key', publicKey.export({ type: 'spki', format: 'der' })],
    ['a certificate that is cut', der.subarray(0, der.length - 1)],
    ['a certificate and a byte', Buffer.concat([der, Buffer.alloc(1)])],
    ['a script', readFileSync(import.meta.filename)],
  ];
  for (const [what, bytes] of cases) {
    assert.throws(() => subjectPublicKeyInfo(bytes), X509Error, what);
  }
});
