import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readCollateral, readEvidence } from './files.ts';
import { showCommand } from './show.ts';
import { verifyCommand, type VerificationReport } from './verify.ts';

const vectors = join(
  process.env['ENSCONCE_SHARED'] ?? join(import.meta.dirname, '../../../../shared'),
  'vectors',
);
const skip = existsSync(join(vectors, 'manifest.json')) ? false : `NOT RUN: no vectors in ${vectors}`;

async function run(
  file: string,
  collateral: readonly string[],
  at: string,
): Promise<{ exitCode: number; report: VerificationReport }> {
  return verifyCommand({
    evidence: readEvidence(join(vectors, file)),
    pool: readCollateral(collateral.map((path) => join(vectors, path))),
    at: new Date(at),
    policy: undefined,
    json: true,
    allowTrailing: false,
    insecureSimulatedRoots: [],
  });
}

const phala = 'intel-collateral/as-shipped/Phala-Network__dcap-qvl';

void test(
  'up to date is accepted, any other status is not, and the identity is said to be unchecked',
  { skip },
  async () => {
    const good = await run(
      'tdx/Phala-Network__dcap-qvl/tdx_quote-f1c85033.bin',
      [`${phala}/tdx_quote_collateral.json`],
      '2025-06-20T06:13:20Z',
    );
    assert.equal(good.exitCode, 0);
    assert.equal(good.report.verdict, 'accepted');
    assert.equal(good.report.identityChecked, false);
    assert.equal(good.report.tcbStatus, 'UpToDate');
    const poor = await run(
      'sgx/Phala-Network__dcap-qvl/sgx_quote-f8b81014.bin',
      [`${phala}/sgx_quote_collateral.json`],
      '2025-06-20T06:13:20Z',
    );
    assert.equal(poor.exitCode, 10);
    assert.equal(poor.report.tcbStatus, 'ConfigurationAndSWHardeningNeeded');
  },
);

void test('collateral that is missing or out of its dates is undetermined', { skip }, async () => {
  const quote = 'tdx/Phala-Network__dcap-qvl/tdx_quote-f1c85033.bin';
  assert.equal((await run(quote, [], '2025-06-20T06:13:20Z')).exitCode, 12);
  assert.equal((await run(quote, [`${phala}/tdx_quote_collateral.json`], '2026-06-20')).exitCode, 12);
  assert.equal(
    (await run(quote, [`${phala}/sgx_quote_collateral.json`], '2025-06-20T06:13:20Z')).exitCode,
    12,
  );
});

void test('the right bundle is picked from a folder of many', { skip }, async () => {
  const result = await run(
    'tdx/Phala-Network__dcap-qvl/tdx_quote-f1c85033.bin',
    [phala],
    '2025-06-20T06:13:20Z',
  );
  assert.deepEqual(
    result.report.checks.filter((check) => !check.ok),
    [],
  );
  assert.equal(result.exitCode, 0);
});

void test('collateral is put together from the parts in a folder', { skip }, async () => {
  const folders = ['tcbinfo', 'identity', 'crl', 'certs'].map((name) => `intel-collateral/${name}`);
  const manifest = JSON.parse(readFileSync(join(vectors, 'manifest.json'), 'utf8')) as {
    intel: { file: string; evaluations?: { at: number; expect: string }[] }[];
  };
  const [entry] = manifest.intel.filter((one) => (one.evaluations?.length ?? 0) > 0);
  const [evaluation] = entry?.evaluations ?? [];
  const result = await run(entry?.file ?? '', folders, new Date((evaluation?.at ?? 0) * 1000).toISOString());
  assert.equal(result.report.tcbStatus, evaluation?.expect);
});

void test('bad evidence is not genuine', { skip }, async () => {
  const folders = ['intel-collateral/bundles'];
  for (const file of [
    'negative/openenclave__openenclave/sgx_cert_rsa_bad.der',
    'negative/openenclave__openenclave/sgx_report_bad.bin',
    'sgx/openenclave__openenclave/sgx_cert_ec_bad-4e3f9fa7.bin',
    'sgx/openenclave__openenclave/sgx_cert_rsa_bad-f4f27469.bin',
    'sgx/fortanix__rust-sgx/quote_pck_cert_chain_corrupted-6dc7792a.bin',
    'tdx/google__go-tdx-guest/report.dat',
  ]) {
    const result = await run(file, folders, '2025-06-20');
    assert.equal(result.exitCode, 11, file);
  }
});

void test(
  'SNP reports are accepted with the certificates of a folder, and say what was not checked',
  { skip },
  async () => {
    const result = await run(
      'snp/virtee__sev/report_milan-120d77b2.report.bin',
      ['amd-collateral', 'snp/virtee__sev'],
      '2025-06-20',
    );
    assert.equal(result.exitCode, 0);
    assert.equal(result.report.tcbStatus, null);
    assert.ok(result.report.notes.some((note) => note.startsWith('minimum TCB not checked')));
  },
);

void test('every quote and report can be shown', { skip }, () => {
  for (const folder of ['sgx', 'tdx', 'snp']) {
    for (const source of readdirSync(join(vectors, folder))) {
      for (const name of readdirSync(join(vectors, folder, source)).filter((one) => one.endsWith('.bin'))) {
        const path = join(vectors, folder, source, name);
        const result = showCommand(readEvidence(path), true);
        const old = result.stderr.includes('version 2 to 5 expected, 1 found');
        assert.equal(result.exitCode, old ? 11 : 0, `${path}: ${result.stderr}`);
      }
    }
  }
});
