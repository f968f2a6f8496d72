import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { build } from 'esbuild';
import { chromium, type Page } from 'playwright-core';
import { encodeIntelBundle } from '@ensconce/verify/intel/collateral';
import { issueAmdCollateral } from '@ensconce/simulation/amd/collateral';
import { issueIntelCollateral } from '@ensconce/simulation/intel/collateral';
import { makeAmdAuthority } from '@ensconce/simulation/amd/authority';
import { makeChip } from '@ensconce/simulation/amd/chip';
import { makeIntelAuthority } from '@ensconce/simulation/intel/authority';
import { makeAzureSnpEvidence } from '@ensconce/simulation/azure/envelope';
import { makeNitroAuthority } from '@ensconce/simulation/nitro/authority';
import { makeNitroDocument } from '@ensconce/simulation/nitro/quote';
import { makeTpm, makeTpmAuthority } from '@ensconce/simulation/tpm/authority';
import { makePlatform } from '@ensconce/simulation/intel/platform';
import { makeSgxQuote } from '@ensconce/simulation/sgx/quote';
import { makeSnpReport } from '@ensconce/simulation/snp/quote';
import { makeTdxQuote } from '@ensconce/simulation/tdx/quote';
import { upToDateTcb } from '@ensconce/simulation/vendor';
import type { PageAnswer, PageRequest } from './page.ts';

const browsers = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const executablePath = process.env['ENSCONCE_CHROMIUM'] ?? browsers.find((path) => existsSync(path));
const skip =
  executablePath === undefined
    ? 'NOT RUN: no Chromium (apt-get install chromium, or ENSCONCE_CHROMIUM)'
    : false;

const at = new Date('2026-11-22T12:00:00Z');
const reportData = new Uint8Array(64);

/** For a browser target esbuild refuses every `node:` import, so that none can creep into parser and verifier. */
async function bundle(): Promise<string> {
  const result = await build({
    entryPoints: [join(import.meta.dirname, 'page.ts')],
    bundle: true,
    write: false,
    platform: 'browser',
    format: 'iife',
    target: 'esnext',
    logLevel: 'silent',
  });
  return result.outputFiles[0]?.text ?? '';
}

/** WebCrypto exists on pages of a secure origin only; 127.0.0.1 is one. */
function serve(script: string): Promise<{ server: Server; url: string }> {
  const server = createServer((_request, response) => {
    response
      .writeHead(200, { 'Content-Type': 'text/html' })
      .end(`<!doctype html><script>${script.replaceAll('</script', '<\\/script')}</script>`);
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      resolve({ server, url: `http://127.0.0.1:${port}/` });
    });
  });
}

const judge = (page: Page, request: PageRequest): Promise<PageAnswer> =>
  page.evaluate(
    (value) =>
      (globalThis as unknown as { judge: (request: PageRequest) => Promise<PageAnswer> }).judge(value),
    request,
  );

const base64 = (bytes: Uint8Array): string => bytes.toBase64();

async function intelRequests(): Promise<PageRequest[]> {
  const authority = await makeIntelAuthority(at);
  const platform = await makePlatform(authority, at);
  const enclave = {
    mrenclave: new Uint8Array(32),
    mrsigner: new Uint8Array(32),
    isvprodid: 0,
    isvsvn: 0,
    reportData,
  };
  const requests: PageRequest[] = [];
  for (const [tee, quote] of [
    ['sgx', makeSgxQuote(platform, enclave)],
    ['tdx', makeTdxQuote(platform, { reportData, kind: 'td-1.5' })],
  ] as const) {
    const collateral = await issueIntelCollateral(authority, {
      dates: { issued: new Date(at.getTime() - 60_000), next: new Date(at.getTime() + 86_400_000) },
      tcb: upToDateTcb(platform, tee, at),
      ca: 'platform',
      crlNumber: 1,
    });
    requests.push({
      evidence: base64(quote),
      collateral: [base64(new TextEncoder().encode(encodeIntelBundle(collateral)))],
      roots: [base64(authority.root.certificate)],
      at: at.getTime(),
    });
  }
  return requests;
}

async function amdRequest(): Promise<PageRequest> {
  const authority = await makeAmdAuthority('Genoa', at, 2048);
  const chip = await makeChip(authority, at);
  const { certificates } = await issueAmdCollateral(authority, chip, { issued: at, next: at, number: 1 });
  return {
    evidence: base64(makeSnpReport(chip, { reportData })),
    collateral: certificates.map((certificate) => base64(certificate)),
    roots: [base64(authority.ark.certificate)],
    at: at.getTime(),
  };
}

/** What needs no collateral, and what carries its hardware's report inside. */
async function otherRequests(): Promise<PageRequest[]> {
  const nitro = await makeNitroAuthority(at);
  const tpm = await makeTpm(await makeTpmAuthority(at), at);
  const pcrs = Array.from({ length: 24 }, (_, index) => new Uint8Array(32).fill(index));
  const quoted = { nonce: reportData.subarray(0, 32), pcrs };
  const amd = await makeAmdAuthority('Milan', at, 2048);
  const chip = await makeChip(amd, at);
  const plain = { collateral: [], at: at.getTime() };
  return [
    {
      ...plain,
      evidence: base64(
        await makeNitroDocument(nitro, { timestamp: at, pcrs: { 0: new Uint8Array(48).fill(1) } }),
      ),
      roots: [base64(nitro.root.certificate)],
    },
    {
      ...plain,
      evidence: base64(makeAzureSnpEvidence(chip, { key: tpm.key, tpm: quoted })),
      collateral: [amd.ask, amd.ark].map((one) => base64(one.certificate)),
      roots: [base64(amd.ark.certificate)],
    },
  ];
}

void test('the same verifier judges in a browser', { skip, timeout: 60_000 }, async () => {
  const { server, url } = await serve(await bundle());
  const browser = await chromium.launch({ executablePath: executablePath ?? '', args: ['--no-sandbox'] });
  try {
    const page = await browser.newPage();
    await page.goto(url);
    for (const request of [...(await intelRequests()), await amdRequest(), ...(await otherRequests())]) {
      const answer = await judge(page, request);
      assert.deepEqual(answer.failures, []);
      assert.equal(answer.decision, 'accepted');
      assert.equal((await judge(page, { ...request, roots: [] })).decision, 'not-genuine');
      const bytes = Uint8Array.fromBase64(request.evidence);
      const flipped = base64(bytes.with(100, (bytes[100] ?? 0) ^ 1));
      assert.equal((await judge(page, { ...request, evidence: flipped })).decision, 'not-genuine');
    }
    const vectors = join(
      process.env['ENSCONCE_SHARED'] ?? join(import.meta.dirname, '../../../shared'),
      'vectors',
    );
    if (existsSync(vectors)) {
      const real = await judge(page, {
        evidence: base64(readFileSync(join(vectors, 'tdx/Phala-Network__dcap-qvl/tdx_quote-f1c85033.bin'))),
        collateral: [
          base64(
            readFileSync(
              join(vectors, 'intel-collateral/as-shipped/Phala-Network__dcap-qvl/tdx_quote_collateral.json'),
            ),
          ),
        ],
        roots: [],
        at: 1_750_400_000_000,
      });
      assert.deepEqual(real, { decision: 'accepted', tcbStatus: 'UpToDate', failures: [] });
    }
  } finally {
    await browser.close();
    server.close();
  }
});
