import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { verifyNitroDocument } from './verify.ts';

const vectors = join(
  process.env['ENSCONCE_SHARED'] ?? join(import.meta.dirname, '../../../../../shared'),
  'vectors',
);
const skip = existsSync(join(vectors, 'manifest.json')) ? false : `NOT RUN: no vectors in ${vectors}`;

void test(
  'documents of real enclaves are genuine when they were made, and too old later',
  { skip },
  async () => {
    const manifest = JSON.parse(readFileSync(join(vectors, 'manifest.json'), 'utf8')) as {
      nitro: { file: string; at: number; moduleId: string; pcr0: string }[];
    };
    for (const entry of manifest.nitro) {
      const bytes = readFileSync(join(vectors, entry.file));
      const at = new Date((entry.at + 60) * 1000);
      const verdict = await verifyNitroDocument(bytes, { crypto: nodeCrypto, at });
      const tampered = entry.file.includes('tampered');
      assert.equal(
        verdict.outcome,
        tampered ? 'not-genuine' : 'genuine',
        `${entry.file}: ${JSON.stringify(verdict.failures)}`,
      );
      const later = new Date(at.getTime() + 86_400_000);
      const old = await verifyNitroDocument(bytes, { crypto: nodeCrypto, at: later });
      assert.equal(old.outcome, tampered ? 'not-genuine' : 'undetermined', entry.file);
      if (tampered) continue;
      assert.ok(verdict.claims?.tee === 'nitro');
      assert.equal(verdict.claims.moduleId, entry.moduleId);
      assert.equal(verdict.claims.pcrs['0'], entry.pcr0);
      assert.equal(verdict.claims.debug, /^0+$/.test(entry.pcr0));
      for (let i = 0; i < bytes.length; i += 331) {
        const flipped = Uint8Array.from(bytes).with(i, (bytes[i] as number) ^ 1);
        const refused = await verifyNitroDocument(flipped, { crypto: nodeCrypto, at });
        assert.notEqual(refused.outcome, 'genuine', `${entry.file}: byte ${i}`);
      }
    }
  },
);
