import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { CollateralPool } from '../collateral-pool.ts';
import { verifyEvidence } from '../verify.ts';
import type { Verdict } from '../verdict.ts';

const vectors = join(
  process.env['ENSCONCE_SHARED'] ?? join(import.meta.dirname, '../../../../../shared'),
  'vectors',
);
const skip = existsSync(join(vectors, 'manifest.json')) ? false : `NOT RUN: no vectors in ${vectors}`;
const bundles = join(vectors, 'intel-collateral/bundles');

async function judge(file: string): Promise<Verdict> {
  const pool = new CollateralPool();
  for (const name of readdirSync(bundles)) pool.add(readFileSync(join(bundles, name)));
  const options = { crypto: nodeCrypto, at: new Date('2025-06-20T10:55:09Z') };
  const verdict = await verifyEvidence(readFileSync(join(vectors, file)), pool, options);
  assert.ok(verdict !== undefined);
  return verdict;
}

const named = (verdict: Verdict, name: string): boolean | undefined =>
  verdict.checks.find((check) => check.name === name)?.ok;

void test(
  'certificates and requests of real enclaves are bound to their keys and judged',
  { skip },
  async () => {
    for (const file of [
      'ra-tls/CCC-Attestation__interoperable-ra-tls/rats-tls-cert.pem',
      'ra-tls/enarx__steward/icelake.signed.tcb.crl.multi.xeon.csr',
    ]) {
      const verdict = await judge(file);
      assert.deepEqual(verdict.failures, [], file);
      assert.equal(verdict.tcbStatus, 'OutOfDate', file);
    }
  },
);

void test(
  'a certificate of a real TD is bound to its key and its configuration claims',
  { skip },
  async () => {
    const verdict = await judge('ra-tls/confidential-dot-ai__c8s-verify-js/cds-identity.pem');
    assert.equal(named(verdict, 'report data binds the certificate’s key'), true);
    assert.equal(named(verdict, 'certificate is signed by its own key'), true);
    assert.equal(named(verdict, 'quote is signed by the attestation key'), true);
    // The collateral of its platform is not among the vectors.
    assert.equal(verdict.outcome, 'undetermined');
  },
);

void test('a certificate that was corrupted is not genuine, though its key is bound', { skip }, async () => {
  const verdict = await judge('negative/openenclave__openenclave/sgx_cert_rsa_bad.der');
  assert.equal(named(verdict, 'report data binds the certificate’s key'), true);
  assert.equal(verdict.outcome, 'not-genuine');
});
