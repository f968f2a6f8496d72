import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { PolicyError } from './errors.ts';
import {
  creatorFromSigner,
  keyHash,
  keyHashOfCertificate,
  keyHashOfPublicKey,
  keyHashPattern,
} from './key-hash.ts';

void test('a key hash is base58 of SHA-256 over the SPKI', () => {
  // SHA-256 of nothing, e3b0c442…, in base58.
  assert.equal(keyHash(new Uint8Array()), 'GKot5hBsd81kMupNCXHaqbhv3huEbxAFMLnpcX2hniwn');
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = publicKey.export({ type: 'spki', format: 'pem' });
  assert.equal(keyHashOfPublicKey(pem), keyHash(publicKey.export({ type: 'spki', format: 'der' })));
  assert.match(keyHashOfPublicKey(pem), keyHashPattern);
  assert.equal(creatorFromSigner(`\n${pem.replaceAll('\n', '\r\n')}`).pem, pem);
});

void test('two blocks, private keys and nonsense are no public key', () => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const pem = publicKey.export({ type: 'spki', format: 'pem' });
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' });
  for (const bad of [pem + pem, key, '', 'x', pem.replace('MC', '!!')]) {
    assert.throws(
      () => keyHashOfPublicKey(bad),
      (error) => error instanceof PolicyError && error.code === 'POLICY_KEY',
    );
  }
  assert.throws(() => keyHashOfCertificate(pem), PolicyError);
});
