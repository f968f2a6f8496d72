import assert from 'node:assert/strict';
import { createCipheriv } from 'node:crypto';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { openEnvelope, sealEnvelope } from './envelope.ts';

const bytes = (size: number) => fc.uint8Array({ minLength: size, maxLength: size });

void test('the layout is 0x00A1, 0x0002, length, nonce, ciphertext, tag', () => {
  const key = Buffer.alloc(32, 1);
  const nonce = Buffer.alloc(12, 2);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  const body = Buffer.concat([cipher.update('secret'), cipher.final(), cipher.getAuthTag()]);
  const expected = Buffer.concat([Buffer.from('00a100020006', 'hex'), nonce, body]).toString('base64');
  assert.equal(sealEnvelope('secret', key, nonce), expected);
});

void test('property: what is sealed opens with its key, and no other or changed one does', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 2000 });
  fc.assert(
    fc.property(text, bytes(32), bytes(12), fc.nat(), (value, key, nonce, at) => {
      const sealed = sealEnvelope(value, key, nonce);
      assert.equal(openEnvelope(sealed, key), value);
      const raw = Uint8Array.fromBase64(sealed);
      const place = at % raw.length;
      // The length is not judged.
      if (place === 4 || place === 5) return;
      raw[place] = (raw[place] ?? 0) ^ 1;
      assert.throws(() => openEnvelope(raw.toBase64(), key), TypeError);
    }),
  );
});

void test('fuzz: anything else is refused as what it is', () => {
  const key = new Uint8Array(32);
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.base64String()), (text) => {
      assert.throws(() => openEnvelope(text, key), TypeError);
    }),
  );
});
