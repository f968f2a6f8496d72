import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSessionOrThrow } from '@ensconce/policy/parse';
import type { StoredSecret } from '@ensconce/secrets/stored';
import { SettledValues } from './settled-values.ts';
import type { StoredSession } from './session-record.ts';

const renewal = new Date('2026-03-01T00:00:00Z');
const before = new Date(renewal.getTime() - 1);

const certificate = (renew?: Date): StoredSecret => ({
  kind: 'x509',
  certificate: '',
  issuers: [],
  isCa: false,
  notAfter: '2026-04-01T00:00:00.000Z',
  ...(renew && { renew: renew.toISOString() }),
});

function stored(secrets: string, values: Record<string, StoredSecret>): StoredSession {
  const text = `name: app\nversion: "0.3.12"\nsecrets:\n${secrets}`;
  const [creator, hash] = [{ kind: 'certificate', pem: '', keyHash: '' } as const, '0'.repeat(64)];
  return {
    id: '0'.repeat(32),
    stored: { name: 'app', hash, predecessor: null, creator, text, written: '' },
    session: parseSessionOrThrow(text),
    secrets: { version: 1, secrets: values },
  };
}

void test('values that were looked through are looked through again when the first certificate is to be renewed', () => {
  const settled = new SettledValues();
  const session = stored('  - {name: key, kind: private-key}\n', {
    given: certificate(),
    late: certificate(new Date(renewal.getTime() + 1000)),
    early: certificate(renewal),
  });
  const names = new Set(['early']);
  assert.equal(settled.has(session, names, before), false);
  settled.add(session, names);
  assert.equal(settled.has(session, names, before), true);
  assert.equal(settled.has(session, names, renewal), false);
  assert.equal(settled.has(session, new Set(['late']), before), false, 'others were not looked through');
  assert.equal(settled.has({ ...session }, names, before), false, 'another version was not either');
});

void test('what comes from elsewhere is asked for each time', () => {
  const settled = new SettledValues();
  const names = new Set(['a']);
  const session = stored('  - {name: a, import: {session: other, secret: a}}\n', {});
  settled.add(session, names);
  assert.equal(settled.has(session, names, before), false);
});
