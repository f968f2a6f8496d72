import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { CompactEncrypt } from 'jose';
import { decryptSession, encryptSession } from './encrypted-session.ts';
import { SecretsError } from './errors.ts';

const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const refused = (error: unknown) => error instanceof SecretsError && error.code === 'SECRETS_VALUE';

void test('only the CAS that a session is encrypted for reads it', async () => {
  const jwe = await encryptSession('name: geheim ✓\n', keys.publicKey);
  assert.ok(!Buffer.from(jwe, 'base64url').includes('geheim'));
  assert.equal(await decryptSession(jwe, keys.privateKey), 'name: geheim ✓\n');
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await assert.rejects(() => decryptSession(jwe, other.privateKey), refused);
});

void test('what was changed, is something else or is too long is refused', async () => {
  const jwe = await encryptSession('name: s\n', keys.publicKey);
  const another = await new CompactEncrypt(Buffer.from('x'))
    .setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM' })
    .encrypt(keys.publicKey);
  for (const bad of [`${jwe.slice(0, -2)}AA`, another, '', 'a.b.c.d.e', 'x'.repeat(3_000_000)]) {
    await assert.rejects(() => decryptSession(bad, keys.privateKey), refused);
  }
});
