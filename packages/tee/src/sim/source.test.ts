import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { FrameConnection } from '@ensconce/wire/frames';
import { lasFrameLimit, lasRequest } from '@ensconce/wire/las';
import * as v from 'valibot';
import { judge, vendor } from '../../test/judge.ts';
import { simSource } from './source.ts';

const reportData = new Uint8Array(64).fill(0x77);

void test('where there is no TEE the LAS gives simulated evidence', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'ensconce-tee-sim-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const socket = join(folder, 'las.sock');
  const las = createServer((peer) => {
    void (async () => {
      const frames = new FrameConnection(peer, 'client', lasFrameLimit);
      const request = v.parse(lasRequest, await frames.receive());
      const quote = vendor.makeSgxQuote({
        mrenclave: new Uint8Array(32).fill(0xaa),
        mrsigner: new Uint8Array(32),
        isvprodid: 0,
        isvsvn: 0,
        reportData: Uint8Array.fromHex(request.reportData),
      });
      frames.send({ type: 'evidence', format: 'sgx', evidence: Buffer.from(quote).toString('base64') });
    })();
  }).listen(socket);
  t.after(() => las.close());
  await once(las, 'listening');
  const evidence = await simSource({ socket, timeout: 5000 }).makeEvidence(reportData);
  const appraisal = await judge(evidence, { sgx: [{ mrenclave: 'aa'.repeat(32) }], reportData });
  assert.equal(appraisal.decision, 'accepted');
  assert.equal(appraisal.verdict.simulated, true);
});

void test('without a LAS there is no evidence', async () => {
  const source = simSource({ socket: '/nowhere/las.sock', timeout: 100 });
  await assert.rejects(source.makeEvidence(reportData), { code: 'LAS_UNREACHABLE' });
});
