import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSessionOrThrow } from '@ensconce/policy/parse';
import { missingSecrets, neededSecrets } from './needed.ts';

const session = parseSessionOrThrow(`name: s
version: "0.3.12"
secrets:
- {name: leaf, kind: x509, private_key: key, issuer: ca}
- {name: key, kind: private-key}
- {name: ca, kind: x509-ca, private_key: ca_key, issuer: root}
- {name: ca_key, import: {session: t}}
- {name: root, kind: x509-ca, import: {session: t}, private_key: other}
- {name: other, kind: private-key}
- {name: token, kind: jwt, signer: key, payload: {a: "$$SCONE::text$$", b: "$$SCONE::self::software_identity$$"}}
- {name: text, kind: ascii}
- {name: v, import_akv: {vault: v, secret_name: n, token: aad, decryption_key: open}}
- {name: aad, kind: aad-token, tenant_id: t, client_id: c, application_secret: "$$SCONE::pw$$"}
- {name: pw, kind: ascii}
- {name: open, kind: binary, size: 32}
- {name: unused, kind: ascii}
`);
const needed = (...names: string[]): string[] => [...neededSecrets(session, names)].sort();

void test('a secret needs what it is made of, and an import nothing of this session', () => {
  assert.deepEqual(needed('leaf'), ['ca', 'ca_key', 'key', 'leaf', 'root']);
  assert.deepEqual(needed('token'), ['key', 'text', 'token']);
  assert.deepEqual(needed('v'), ['aad', 'open', 'pw', 'v']);
  assert.deepEqual(needed('text', 'text', 'nothing'), ['text']);
});

void test('missing is what has no value; a token is as good as what it is made of', () => {
  assert.deepEqual(missingSecrets(session, ['leaf', 'text'], { leaf: 1 }), ['text']);
  assert.deepEqual(missingSecrets(session, ['token'], { key: 1 }), ['text']);
  assert.deepEqual(missingSecrets(session, ['token'], { key: 1, text: 1 }), []);
});
