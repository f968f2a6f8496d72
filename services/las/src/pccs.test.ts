import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CollateralCache } from '@ensconce/collateral/cache';
import { MemoryStore } from '@ensconce/collateral/disk';
import { fetchIntelCollateral, intelPcs, pccsSource } from '@ensconce/collateral/intel';
import { fetchTransport } from '@ensconce/collateral/transport';
import { startPccs } from './pccs.ts';

const offline = (): CollateralCache =>
  new CollateralCache({ store: new MemoryStore(), transport: undefined, now: () => Date.now() });

void test('what the cache lacks and cannot fetch is a temporary failure, and other paths do not exist', async (t) => {
  const pccs = await startPccs({ host: '127.0.0.1', port: 0, cache: offline(), source: intelPcs });
  t.after(() => pccs.close());
  const base = `http://127.0.0.1:${pccs.address.port}`;
  const missing = await fetch(`${base}/sgx/certification/v4/tcb?fmspc=00606A000000`);
  assert.equal(missing.status, 503);
  assert.equal((await fetch(`${base}/etc/passwd`)).status, 404);
  assert.equal((await fetch(`${base}/sgx/certification/v4/tcb`, { method: 'POST' })).status, 405);
});

void test('a client that speaks to a PCCS gets a refusal, not other data, where there is nothing', async (t) => {
  const pccs = await startPccs({ host: '127.0.0.1', port: 0, cache: offline(), source: intelPcs });
  t.after(() => pccs.close());
  const client = new CollateralCache({
    store: new MemoryStore(),
    transport: fetchTransport,
    now: () => Date.now(),
    retry: { tries: 1, pause: 1, longestPause: 1, timeout: 5000, sleep: async () => undefined },
  });
  await assert.rejects(
    fetchIntelCollateral(client, pccsSource(`http://127.0.0.1:${pccs.address.port}`), {
      tee: 'sgx',
      fmspc: '00606a000000',
      ca: 'platform',
    }),
    { code: 'COLLATERAL_FETCH' },
  );
});
