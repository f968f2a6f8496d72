import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { VerificationCache } from '../cache.ts';
import { verifySnpReport } from './verify.ts';
import type { AmdCollateral } from './collateral.ts';

interface Entry {
  readonly file: string;
  readonly vek?: readonly { readonly file: string; readonly notBefore: string }[];
  readonly expect: string;
}

const vectors = join(
  process.env['ENSCONCE_SHARED'] ?? join(import.meta.dirname, '../../../../../shared'),
  'vectors',
);
const skip = existsSync(join(vectors, 'manifest.json')) ? false : `NOT RUN: no vectors in ${vectors}`;

function load(): { entries: Entry[]; authorities: Uint8Array[] } {
  const manifest = JSON.parse(readFileSync(join(vectors, 'manifest.json'), 'utf8')) as { snp: Entry[] };
  const folder = join(vectors, 'amd-collateral');
  const names = readdirSync(folder).filter((name) => name.startsWith('a'));
  return { entries: manifest.snp, authorities: names.map((name) => readFileSync(join(folder, name))) };
}

void test('reports of real machines are genuine with their certificates', { skip }, async (t) => {
  const { entries, authorities } = load();
  const cache = new VerificationCache();
  let count = 0;
  for (const entry of entries) {
    const report = readFileSync(join(vectors, entry.file));
    const veks = entry.vek ?? [];
    const certificates = veks.map((vek) => readFileSync(join(vectors, vek.file)));
    for (const vek of veks) {
      const at = new Date(Date.parse(vek.notBefore.replace(' ', 'T')) + 86_400_000);
      const collateral: AmdCollateral = {
        certificates: [...authorities, ...certificates],
        revocationLists: [],
      };
      const verdict = await verifySnpReport(report, collateral, { crypto: nodeCrypto, at, cache });
      assert.deepEqual(verdict.failures, [], `${entry.file}: ${entry.expect}`);
      assert.equal(
        verdict.outcome,
        entry.expect.startsWith('VERIFIES') ? 'genuine' : 'not-genuine',
        entry.file,
      );
      count++;
    }
    const without = await verifySnpReport(report, undefined, {
      crypto: nodeCrypto,
      at: new Date('2025-06-01'),
    });
    assert.notEqual(without.outcome, 'genuine', entry.file);
  }
  t.diagnostic(`${count} reports`);
});
