import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync, hash } from 'node:crypto';
import { test } from 'node:test';
import { endorseAuditKey, endorsedAuditKey } from './endorsement.ts';

void test('an audit key is endorsed by CAS alone', () => {
  const cas = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const audit = generateKeyPairSync('ed25519');
  const publicKey = cas.publicKey.export({ type: 'spki', format: 'der' });
  const good = endorseAuditKey({ privateKey: cas.privateKey, publicKey }, audit.privateKey);
  assert.ok(endorsedAuditKey(good, hash('sha256', publicKey))?.equals(createPublicKey(audit.privateKey)));
  const identity = hash('sha256', publicKey);
  const other = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'der' });
  assert.equal(endorsedAuditKey(good, '0'.repeat(64)), undefined);
  assert.equal(endorsedAuditKey({ ...good, auditKey: other.toString('base64') }, identity), undefined);
});
