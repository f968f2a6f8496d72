import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { generateEcKey } from '@ensconce/simulation/key';
import { makeRaTlsCertificate } from '@ensconce/simulation/ra-tls/certificate';
import { openSimulatedVendor } from '@ensconce/simulation/vendor';
import { pcsHandler } from '@ensconce/simulation/servers/pcs';
import { serveHandler } from '@ensconce/simulation/servers/http';
import { encodeIntelBundle } from '@ensconce/verify/intel/collateral';
import { fetchTransport } from '@ensconce/collateral/transport';
import { pemEncode } from '@ensconce/x509/pem';
import { EvidenceReportError } from './errors.ts';
import { runExport, runFetch, runImport } from './collateral.ts';
import { runShow, runVerify, type VerifyOptions } from './command.ts';
import type { VerificationReport } from './verify.ts';

const now = new Date('2026-11-22T12:00:00Z');
const folder = mkdtempSync(join(tmpdir(), 'ensconce-evidence-'));
const vendor = await openSimulatedVendor({ folder: join(folder, 'vendor'), now: () => now });
const server = await serveHandler(pcsHandler(vendor.pcsContent()), { host: '127.0.0.1', port: 0 });
after(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

const path = (name: string): string => join(folder, name);
const reportData = new Uint8Array(64).fill(5);
const enclave = {
  mrenclave: new Uint8Array(32).fill(1),
  mrsigner: new Uint8Array(32).fill(2),
  isvprodid: 0,
  isvsvn: 0,
  reportData,
};
writeFileSync(path('quote'), vendor.makeSgxQuote(enclave));
writeFileSync(path('quote.hex'), vendor.makeSgxQuote(enclave).toHex());
writeFileSync(path('quote.b64'), vendor.makeSgxQuote(enclave).toBase64());
writeFileSync(path('debug'), vendor.makeSgxQuote({ ...enclave, debug: true }));
writeFileSync(path('padded'), Uint8Array.of(...vendor.makeSgxQuote(enclave), 0, 0));
writeFileSync(path('text'), 'hello');
writeFileSync(path('root.pem'), vendor.rootPem);
await runFetch({
  cache: path('cache'),
  pccs: server.base,
  transport: fetchTransport,
  now: () => now.getTime(),
  file: path('quote'),
  output: path('bundle.json'),
});

const base: VerifyOptions = {
  file: path('quote'),
  collateral: [path('bundle.json')],
  json: true,
  allowTrailing: false,
  insecureSimulatedRoot: [path('root.pem')],
  cache: path('cache'),
};

async function verify(
  change: Partial<VerifyOptions>,
): Promise<{ exitCode: number; report: VerificationReport }> {
  const result = await runVerify({ ...base, ...change }, now);
  return { exitCode: result.exitCode, report: JSON.parse(result.stdout) as VerificationReport };
}

void test('each outcome has its exit code', async () => {
  assert.equal((await verify({})).exitCode, 0);
  assert.equal((await verify({ file: path('quote.hex') })).exitCode, 0);
  assert.equal((await verify({ file: path('quote.b64') })).exitCode, 0);
  assert.equal((await verify({ file: path('debug') })).exitCode, 10);
  assert.equal((await verify({ file: path('text') })).exitCode, 11);
  assert.equal((await verify({ file: path('padded') })).exitCode, 11);
  assert.equal((await verify({ file: path('padded'), allowTrailing: true })).exitCode, 0);
  assert.equal((await verify({ insecureSimulatedRoot: [] })).exitCode, 11);
  assert.equal((await verify({ collateral: [] })).exitCode, 12);
  assert.equal((await verify({ at: '2027-06-01' })).exitCode, 12);
  assert.equal((await verify({ at: String(Math.floor(now.getTime() / 1000)) })).exitCode, 0);
});

void test('simulation and what was not checked are said', async () => {
  const { report } = await verify({});
  assert.equal(report.simulated, true);
  assert.equal(report.identityChecked, false);
  const text = await runVerify({ ...base, json: false }, now);
  assert.match(text.stdout, /^accepted \(SIMULATED\)/);
  assert.match(text.stdout, /identity not checked/);
});

void test('a policy is held against the evidence', async () => {
  const policy = (text: string): Partial<VerifyOptions> => {
    writeFileSync(path('policy.yaml'), text);
    return { policy: path('policy.yaml') };
  };
  const right = `acceptSimulation: true\nsgx: [{ mrenclave: "${'01'.repeat(32)}" }]\n`;
  const accepted = await verify(policy(right));
  assert.equal(accepted.exitCode, 0);
  assert.equal(accepted.report.identityChecked, true);
  assert.equal((await verify(policy(right.replaceAll('01', '03')))).exitCode, 10);
  assert.equal((await verify(policy(`sgx: [{ mrenclave: "${'01'.repeat(32)}" }]`))).exitCode, 10);
  assert.equal((await verify(policy('acceptSimulation: true\n'))).exitCode, 10);
  assert.equal(
    (await verify(policy(`${right}reportData: "${'05'.repeat(64)}"`))).report.reportDataChecked,
    true,
  );
  assert.equal((await verify(policy(`${right}reportData: "${'06'.repeat(64)}"`))).exitCode, 10);
  for (const text of ['- a', 'sgx: [{ mrenclave: "00" }]', 'unknown: 1', 'tdx: [{ mrtd: "00" }]', '{'])
    await assert.rejects(verify(policy(text)), EvidenceReportError, text);
});

void test('files that are not there, no collateral, and odd times are wrong usage', async () => {
  await assert.rejects(verify({ file: path('missing') }), EvidenceReportError);
  await assert.rejects(verify({ collateral: [path('missing')] }), EvidenceReportError);
  await assert.rejects(verify({ collateral: [path('text')] }), EvidenceReportError);
  await assert.rejects(verify({ at: 'yesterday' }), EvidenceReportError);
});

void test('collateral older than what was seen decides nothing; a what-if neither asks nor tells', async () => {
  const cache = path('seen');
  const old = { collateral: [path('bundle.json')], cache };
  const later = new Date(now.getTime() + 60_000);
  const next = await openSimulatedVendor({ folder: path('vendor'), now: () => later });
  writeFileSync(path('newer.json'), encodeIntelBundle(await next.collateral()));
  assert.equal(
    (await verify({ collateral: [path('newer.json')], cache, at: later.toISOString() })).exitCode,
    0,
  );
  assert.equal((await verify(old)).exitCode, 0);
  const newer = await runVerify({ ...base, collateral: [path('newer.json')], cache }, later);
  assert.equal(newer.exitCode, 0);
  const { exitCode, report } = await verify(old);
  assert.equal(exitCode, 12);
  assert.deepEqual([report.verdict, report.tcbStatus, report.claims], ['undetermined', null, null]);
  assert.match(report.checks.at(-1)?.found ?? '', /number \d+ or higher expected/);
  assert.equal((await verify({ ...old, at: now.toISOString() })).exitCode, 0);
  // A clock that was set back does not bring old collateral back to life.
  const early = await runVerify({ ...base, collateral: [path('newer.json')], cache }, new Date('2020-01-01'));
  assert.equal(early.exitCode, 0);
  writeFileSync(join(cache, 'watermarks.json'), '{}');
  await assert.rejects(verify(old), { code: 'COLLATERAL_DISK' });
});

void test('evidence is shown without collateral', () => {
  const shown = runShow({ file: path('quote'), json: true });
  assert.equal(shown.exitCode, 0);
  assert.match(shown.stdout, /"mrEnclave": "0101/);
  assert.equal(runShow({ file: path('text'), json: false }).exitCode, 11);
});

void test('collateral is fetched for what a certificate or other packaging carries, too', async () => {
  const moment = { notBefore: now, notAfter: new Date(now.getTime() + 1000) };
  const certificate = await makeRaTlsCertificate({
    form: 'gramine',
    key: generateEcKey('P-256'),
    ...moment,
    quote: (bound) => vendor.makeSgxQuote({ ...enclave, reportData: bound }),
  });
  writeFileSync(path('certificate.pem'), pemEncode(certificate, 'CERTIFICATE'));
  writeFileSync(path('quote.json'), JSON.stringify({ quote: vendor.makeSgxQuote(enclave).toHex() }));
  for (const file of ['certificate.pem', 'quote.json']) {
    const result = await runFetch({
      cache: path('cache'),
      pccs: server.base,
      transport: fetchTransport,
      now: () => now.getTime(),
      file: path(file),
    });
    assert.match(result.stdout, new RegExp(`sgx ${vendor.fmspc}`), file);
    assert.equal((await verify({ file: path(file) })).exitCode, 0, file);
    assert.equal(runShow({ file: path(file), json: true }).exitCode, 0, file);
  }
});

void test('a cache is exported and imported', () => {
  runExport({ cache: path('cache'), output: path('all.json') });
  assert.equal(runImport({ cache: path('other'), file: path('all.json') }).stdout, '4 entries are new\n');
});
