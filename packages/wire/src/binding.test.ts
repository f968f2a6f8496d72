import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { exporterLabel, reportData, type Binding } from './binding.ts';

const document = readFileSync(new URL('../../../docs/protocol/binding.md', import.meta.url), 'utf8');

const binding: Binding = {
  role: 'service-to-cas',
  publicKey: Buffer.from('public key'),
  exporter: Buffer.alloc(32, 1),
  nonce: Buffer.alloc(32, 2),
  configId: 'demo/app',
  casIdentity: Buffer.from('identity'),
};

/** Golden: both sides of every version must agree on it. */
const golden =
  '9ec12c138ffb37ade4d7780a7d6beed123c3f6bdb8eabf4ad774fe6e853a9c5b9ab2009d88ef91ad51b405571f697227987b8855c4e70f7a90db7576f13f5ee0';

void test('the worked example of docs/protocol/binding.md, by hand', () => {
  const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();
  const item = (bytes: Buffer): Buffer[] => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return [length, bytes];
  };
  const bytes = Buffer.concat(
    [
      Buffer.from('ensconce-binding/1 service-to-cas'),
      sha256('public key'),
      Buffer.alloc(32, 1),
      Buffer.alloc(32, 2),
      Buffer.from('demo/app'),
      sha256('identity'),
    ].flatMap(item),
  );
  assert.equal(bytes.length, 193);
  assert.match(document, /= 193 bytes are hashed/);
  const data = Buffer.from(reportData(binding)).toString('hex');
  assert.equal(data, createHash('sha512').update(bytes).digest('hex'));
  assert.equal(data, golden);
});

void test('labels are those of the document', () => {
  assert.ok(document.includes(`\`${exporterLabel}\``));
  for (const [role, length] of [
    ['service-to-cas', 33],
    ['cas-to-client', 32],
    ['client-to-cas', 32],
  ] as const) {
    assert.ok(document.includes(`\`ensconce-binding/1 ${role}\``));
    assert.equal(`ensconce-binding/1 ${role}`.length, length);
  }
});

void test('every field counts', () => {
  const others: Binding[] = [
    { ...binding, role: 'cas-to-client' },
    { ...binding, publicKey: Buffer.from('public kez') },
    { ...binding, publicKey: binding.casIdentity, casIdentity: binding.publicKey },
    { ...binding, exporter: Buffer.alloc(32, 3) },
    { ...binding, exporter: binding.nonce, nonce: binding.exporter },
    { ...binding, nonce: Buffer.alloc(32, 3) },
    { ...binding, configId: '' },
    { ...binding, configId: 'demo/apq' },
    { ...binding, configId: 'demo/app@1' },
    { ...binding, casIdentity: Buffer.from('identitz') },
  ];
  const all = others.map((other) => Buffer.from(reportData(other)).toString('hex'));
  assert.equal(new Set([golden, ...all]).size, others.length + 1);
  for (const data of all) assert.equal(data.length, 128);
});

void test('an exporter or nonce of another length is the mistake of the caller', () => {
  for (const length of [0, 31, 33]) {
    assert.throws(() => reportData({ ...binding, exporter: Buffer.alloc(length) }), RangeError);
    assert.throws(() => reportData({ ...binding, nonce: Buffer.alloc(length) }), RangeError);
  }
});
