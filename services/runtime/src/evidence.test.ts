import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { findEvidenceSource, sessionDigest } from './evidence.ts';

function host(t: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), 'ensconce-host-'));
  t.after(() => rmSync(root, { recursive: true }));
  return root;
}

void test('where the host shows no TEE, the LAS is asked', async (t) => {
  const root = host(t);
  writeFileSync(join(root, 'las.sock'), '');
  const source = await findEvidenceSource(root, '/las.sock');
  assert.ok(source?.tee === 'sim');
  await assert.rejects(source.makeEvidence(new Uint8Array(64)), {
    code: 'LAS_UNREACHABLE',
    message: new RegExp(`${root}/las.sock`),
  });
});

void test('where there is neither TEE nor LAS, there is no evidence', async (t) => {
  assert.equal(await findEvidenceSource(host(t), '/las.sock'), undefined);
});

void test('a TEE that cannot be used is no reason to simulate', async (t) => {
  const root = host(t);
  mkdirSync(join(root, 'dev/tdx_guest'), { recursive: true });
  await assert.rejects(findEvidenceSource(root, '/las.sock'), { code: 'TEE_INTERFACE' });
});

void test('in an enclave no container is run', async (t) => {
  const root = host(t);
  mkdirSync(join(root, 'dev/attestation'), { recursive: true });
  await assert.rejects(findEvidenceSource(root, '/las.sock'), { code: 'TEE', message: /SGX enclave found/ });
});

void test('the digest of a session is what docs/formats/measurement.md says', () => {
  const hash = Buffer.alloc(32, 0xab);
  const label = Buffer.from('ensconce-session-register/1');
  const length = (bytes: Uint8Array): Buffer => Buffer.from([0, 0, 0, bytes.length]);
  const expected = createHash('sha384')
    .update(Buffer.concat([length(label), label, length(hash), hash]))
    .digest('hex');
  assert.equal(Buffer.from(sessionDigest(hash.toString('hex'))).toString('hex'), expected);
});
