import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { requiredAmdCollateral } from '@ensconce/collateral/amd';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { parseSnpReport } from '@ensconce/evidence/snp/quote';
import { verifySnpReport } from '@ensconce/verify/snp/verify';
import { openSimulatedAmd } from './vendor.ts';

void test('a report of one process is genuine for another that opened the same folder', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'ensconce-amd-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const now = (): Date => new Date();
  const [maker, judge] = await Promise.all([
    openSimulatedAmd({ folder, now }),
    openSimulatedAmd({ folder, now }),
  ]);
  assert.equal(statSync(join(folder, 'simulated-amd.json')).mode & 0o777, 0o600);
  assert.deepEqual(maker.rootCertificate, judge.rootCertificate);
  const report = maker.makeSnpReport({ reportData: new Uint8Array(64).fill(7) });
  const required = requiredAmdCollateral(parseSnpReport(report));
  assert.ok(required);
  const collateral = await judge.collateral(required, now());
  const options = { crypto: nodeCrypto, at: now() };
  const verdict = await verifySnpReport(report, collateral, {
    ...options,
    insecureSimulatedRoots: [judge.rootCertificate],
  });
  assert.deepEqual(verdict.failures, []);
  assert.ok(verdict.claims?.tee === 'snp');
  assert.deepEqual([verdict.claims.chipId, verdict.claims.revocationChecked], [maker.chipId, true]);
  assert.equal((await verifySnpReport(report, collateral, options)).outcome, 'not-genuine');
});
