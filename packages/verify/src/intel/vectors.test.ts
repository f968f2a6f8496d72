import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { parseIntelBundle } from './collateral.ts';
import { VerificationCache } from '../cache.ts';
import { verifySgxQuote } from '../sgx/verify.ts';
import { verifyTdxQuote } from '../tdx/verify.ts';

interface Entry {
  readonly file: string;
  readonly tee: string;
  readonly evaluations?: readonly {
    readonly bundle: string;
    readonly at: number;
    readonly expect: string;
    readonly advisories: readonly string[] | null;
    readonly tcbDate: string | null;
  }[];
}

const vectors = join(
  process.env['ENSCONCE_SHARED'] ?? join(import.meta.dirname, '../../../../../shared'),
  'vectors',
);
const present = existsSync(join(vectors, 'manifest.json'));

void test(
  'quotes of real machines are judged as Intel judges them',
  { skip: present ? false : `NOT RUN: no vectors in ${vectors}` },
  async (t) => {
    const manifest = JSON.parse(readFileSync(join(vectors, 'manifest.json'), 'utf8')) as { intel: Entry[] };
    const cache = new VerificationCache();
    let count = 0;
    for (const entry of manifest.intel) {
      const quote = readFileSync(join(vectors, entry.file));
      for (const evaluation of entry.evaluations ?? []) {
        const collateral = parseIntelBundle(readFileSync(join(vectors, evaluation.bundle)));
        const verdict = await (entry.tee === 'sgx' ? verifySgxQuote : verifyTdxQuote)(quote, collateral, {
          crypto: nodeCrypto,
          at: new Date(evaluation.at * 1000),
          cache,
        });
        const where = `${entry.file} ${evaluation.bundle}`;
        assert.deepEqual(verdict.failures, [], where);
        const expected =
          evaluation.expect === 'ERROR:TCB_NOT_SUPPORTED' ? 'TcbNotSupported' : evaluation.expect;
        assert.equal(verdict.tcbStatus, expected, where);
        assert.deepEqual(verdict.advisories, evaluation.advisories ?? [], where);
        assert.equal(verdict.tcbDate, evaluation.tcbDate, where);
        count++;
      }
    }
    t.diagnostic(`${count} evaluations`);
  },
);
