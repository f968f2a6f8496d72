import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { CollateralPool } from '../collateral-pool.ts';
import { verifyAzureEvidence } from './verify.ts';

const vectors = join(
  process.env['ENSCONCE_SHARED'] ?? join(import.meta.dirname, '../../../../../shared'),
  'vectors',
);
const skip = existsSync(join(vectors, 'manifest.json')) ? false : `NOT RUN: no vectors in ${vectors}`;

function poolOf(...folders: string[]): CollateralPool {
  const pool = new CollateralPool();
  for (const folder of folders) {
    for (const name of readdirSync(join(vectors, folder)))
      pool.add(readFileSync(join(vectors, folder, name)));
  }
  return pool;
}

void test(
  'what Azure machines with SEV-SNP show is genuine, with the TPM quote checked',
  { skip },
  async () => {
    const at = new Date('2025-06-01');
    const pool = poolOf('amd-collateral');
    for (const file of [
      'azure-snp-vtpm/confidential-containers__trustee/evidence-v1.json',
      'azure-snp-vtpm/confidential-dot-ai__attestation-rs/milan-v3-attestation.json',
    ]) {
      const verdict = await verifyAzureEvidence(readFileSync(join(vectors, file)), pool, {
        crypto: nodeCrypto,
        at,
      });
      assert.deepEqual(verdict.failures, [], file);
      assert.ok(verdict.claims?.tee === 'snp');
      assert.equal(verdict.claims.vtpm?.tpm?.bank, 'sha256');
    }
  },
);

void test('a report alone, without the certificates of its chip, is undetermined', { skip }, async () => {
  const alone = readFileSync(join(vectors, 'azure-snp-vtpm/kinvolk__azure-cvm-tooling/hcl-report-snp.bin'));
  const options = { crypto: nodeCrypto, at: new Date('2025-06-01') };
  assert.equal((await verifyAzureEvidence(alone, poolOf('amd-collateral'), options)).outcome, 'undetermined');
});

void test('what Azure machines with TDX show is bound, and judged with the quote', { skip }, async () => {
  const pool = poolOf('intel-collateral/bundles');
  const at = new Date('2025-06-01');
  for (const file of [
    'azure-tdx-vtpm/confidential-containers__trustee/evidence-v1.json',
    'azure-tdx-vtpm/confidential-dot-ai__attestation-rs/live-evidence.json',
  ]) {
    const verdict = await verifyAzureEvidence(readFileSync(join(vectors, file)), pool, {
      crypto: nodeCrypto,
      at,
    });
    assert.notEqual(verdict.outcome, 'not-genuine', JSON.stringify(verdict.failures));
    for (const name of [
      'vTPM keys are bound in the hardware report',
      'TPM quote is signed by the attestation key',
      'PCR values are those of the TPM quote',
      'quote is signed by the attestation key',
    ])
      assert.equal(verdict.checks.find((check) => check.name === name)?.ok, true, `${file}: ${name}`);
  }
  const alone = readFileSync(join(vectors, 'azure-tdx-vtpm/confidential-containers__trustee/hcl-report.bin'));
  assert.equal((await verifyAzureEvidence(alone, pool, { crypto: nodeCrypto, at })).outcome, 'undetermined');
});

void test('another runtime data, key or PCR is not genuine', { skip }, async () => {
  const pool = poolOf('amd-collateral');
  const at = new Date('2025-06-01');
  const file = join(vectors, 'azure-snp-vtpm/confidential-containers__trustee/evidence-v1.json');
  const evidence = JSON.parse(readFileSync(file, 'utf8')) as {
    hcl_report: string;
    tpm_quote: { pcrs: string[]; signature: string };
  };
  const bytes = Uint8Array.fromBase64(evidence.hcl_report, { alphabet: 'base64url' });
  const changed = bytes.with(1300, (bytes[1300] as number) ^ 1).toBase64({ alphabet: 'base64url' });
  const cases = [
    { ...evidence, hcl_report: changed },
    { ...evidence, tpm_quote: { ...evidence.tpm_quote, pcrs: evidence.tpm_quote.pcrs.toReversed() } },
    {
      ...evidence,
      tpm_quote: { ...evidence.tpm_quote, signature: evidence.tpm_quote.signature.replace(/^../, '00') },
    },
  ];
  for (const one of cases) {
    const verdict = await verifyAzureEvidence(new TextEncoder().encode(JSON.stringify(one)), pool, {
      crypto: nodeCrypto,
      at,
    });
    assert.equal(verdict.outcome, 'not-genuine');
  }
});
