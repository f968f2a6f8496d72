import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { nodeAead, tagSize } from './aead.ts';
import { nodeDigests } from './digests.ts';
import { evpAead } from './evp-aead.ts';
import { evpDigests } from './evp-digests.ts';

void test('the fast cipher and the reference give and take the same bytes', () => {
  const fast = evpAead();
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      fc.uint8Array({ minLength: 12, maxLength: 12 }),
      fc.uint8Array({ maxLength: 40 }),
      fc.uint8Array({ maxLength: 5000 }),
      fc.nat(),
      (key, nonce, aad, plain, flip) => {
        const [a, b] = [fast(key), nodeAead(key)];
        const [sealedA, sealedB] = [
          new Uint8Array(plain.length + tagSize),
          new Uint8Array(plain.length + tagSize),
        ];
        a.seal(nonce, aad, plain, sealedA);
        b.seal(nonce, aad, plain, sealedB);
        assert.deepEqual(sealedA, sealedB);
        for (const cipher of [a, b]) {
          const out = new Uint8Array(plain.length);
          assert.ok(cipher.open(nonce, aad, sealedA, out));
          assert.deepEqual(out, plain);
          const changed = sealedA.slice();
          (changed[flip % changed.length] as number) ^= 1;
          assert.equal(cipher.open(nonce, aad, changed, out), false);
          assert.equal(cipher.open(nonce, Uint8Array.from([...aad, 0]), sealedA, out), false);
        }
        a.free();
      },
    ),
    { numRuns: 200 },
  );
});

void test('a fast cipher serves many messages, and many ciphers side by side', () => {
  const ciphers = Array.from({ length: 50 }, () => evpAead()(randomBytes(32)));
  const nonce = new Uint8Array(12);
  const plain = randomBytes(4096);
  for (let i = 0; i < 500; i++) {
    const cipher = ciphers[i % ciphers.length] as (typeof ciphers)[number];
    nonce[0] = i;
    nonce[1] = i >>> 8;
    const sealed = new Uint8Array(plain.length + tagSize);
    cipher.seal(nonce, nonce, plain, sealed);
    const out = new Uint8Array(plain.length);
    assert.ok(cipher.open(nonce, nonce, sealed, out));
    assert.ok(plain.equals(out));
  }
  for (const cipher of ciphers) cipher.free();
});

void test('the fast digests and the reference give the same bytes', () => {
  const fast = evpDigests();
  const key32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
  fc.assert(
    fc.property(key32, fc.uint8Array({ maxLength: 300 }), (key, message) => {
      assert.deepEqual(Buffer.from(fast.sha256(message)), nodeDigests.sha256(message));
      assert.deepEqual(Buffer.from(fast.hmac(key, message)), nodeDigests.hmac(key, message));
    }),
    { numRuns: 200 },
  );
  // OpenSSL would go on with the key before.
  assert.throws(() => fast.hmac(new Uint8Array(0), new Uint8Array(1)), RangeError);
});
