import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { kdsHandler } from '@ensconce/simulation/servers/kds';
import { makeAmdAuthority } from '@ensconce/simulation/amd/authority';
import { makeChip } from '@ensconce/simulation/amd/chip';
import { makeSnpReport } from '@ensconce/simulation/snp/quote';
import { openSimulatedVendor } from '@ensconce/simulation/vendor';
import { parseSnpReport } from '@ensconce/evidence/snp/quote';
import { pcsHandler } from '@ensconce/simulation/servers/pcs';
import { serveHandler } from '@ensconce/simulation/servers/http';
import { verifySgxQuote } from '@ensconce/verify/sgx/verify';
import { verifySnpReport } from '@ensconce/verify/snp/verify';
import { verifyTdxQuote } from '@ensconce/verify/tdx/verify';
import type { RequiredIntelCollateral } from '@ensconce/verify/intel/required';
import { WatermarkFile } from './watermark-file.ts';
import { MemoryWatermarks, Watermarks, type WatermarkBook } from './watermarks.ts';
import { advanceWatermark, judgementTime, noWatermark } from './watermark.ts';
import { answerPccs } from './pccs.ts';
import { CollateralCache, type CacheOptions } from './cache.ts';
import { CollateralError, type CollateralErrorCode } from './errors.ts';
import { DiskStore, MemoryStore } from './disk.ts';
import { exportBundle, importBundle } from './bundle.ts';
import { fetchAmdCollateral, requiredAmdCollateral } from './amd.ts';
import { fetchIntelCollateral, pccsSource, type IntelSource } from './intel.ts';
import { fetchTransport, type Transport } from './transport.ts';

const folder = mkdtempSync(join(tmpdir(), 'ensconce-collateral-'));
const start = new Date('2026-11-22T12:00:00Z').getTime();
const hour = 3_600_000;
let clock = start;
const vendor = await openSimulatedVendor({ folder: join(folder, 'vendor'), now: () => new Date(clock) });
const pcs = pcsHandler(vendor.pcsContent());
const server = await serveHandler(pcs, { host: '127.0.0.1', port: 0 });
after(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

const source: IntelSource = { base: server.base, rootCrl: `${server.base}/IntelSGXRootCA.der` };
const required: RequiredIntelCollateral = { tee: 'sgx', fmspc: vendor.fmspc, ca: 'platform' };
const reportData = new Uint8Array(64);
const quote = vendor.makeSgxQuote({
  mrenclave: new Uint8Array(32),
  mrsigner: new Uint8Array(32),
  isvprodid: 0,
  isvsvn: 0,
  reportData,
});
const options = { crypto: nodeCrypto, at: new Date(start), insecureSimulatedRoots: [vendor.rootCertificate] };

/** Answers by the handler itself, and counts. */
function counting(): { transport: Transport; urls: string[]; fail: (status: number | undefined) => void } {
  const urls: string[] = [];
  let failing: number | undefined;
  return {
    urls,
    fail: (status) => (failing = status),
    transport: async (url) => {
      urls.push(url);
      if (failing !== undefined) return { status: failing, headers: {}, body: new Uint8Array() };
      const { pathname, search } = new URL(url);
      const answer = await pcs(`${pathname}${search}`);
      const headers = Object.entries(answer.headers).map(([name, value]) => [name.toLowerCase(), value]);
      return { ...answer, headers: Object.fromEntries(headers) as Record<string, string> };
    },
  };
}

function cacheWith(change: Partial<CacheOptions>): CollateralCache {
  const retry = { tries: 3, pause: 1, longestPause: 1000, timeout: 1000, sleep: async () => undefined };
  return new CollateralCache({
    store: new MemoryStore(),
    transport: undefined,
    now: () => clock,
    retry,
    ...change,
  });
}

/** Lets what runs behind an answer come to its end. */
const settle = (): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, 20);
  });

const withCode = (code: CollateralErrorCode) => (error: unknown) =>
  error instanceof CollateralError && error.code === code;

void test('collateral comes over HTTP from the genuine paths, and quotes are judged with it', async () => {
  const cache = cacheWith({ transport: fetchTransport, store: new DiskStore(join(folder, 'cache')) });
  const collateral = await fetchIntelCollateral(cache, source, required);
  assert.equal((await verifySgxQuote(quote, collateral, options)).tcbStatus, 'UpToDate');
  const pccs = await fetchIntelCollateral(cache, pccsSource(`${server.base}/`), { ...required, tee: 'tdx' });
  assert.equal(
    (await verifyTdxQuote(vendor.makeTdxQuote({ reportData }), pccs, options)).tcbStatus,
    'UpToDate',
  );
  assert.equal(readdirSync(join(folder, 'cache')).length, 7);
  const again = cacheWith({ store: new DiskStore(join(folder, 'cache')) });
  assert.deepEqual(await fetchIntelCollateral(again, source, required), collateral);
});

void test('the newest evaluation is fetched where it is asked for', async () => {
  const { transport, urls } = counting();
  const early = { ...source, update: 'early' } as const;
  const collateral = await fetchIntelCollateral(cacheWith({ transport }), early, required);
  const verdict = await verifySgxQuote(quote, collateral, options);
  assert.equal(verdict.tcb?.evaluationDataNumber, 2);
  assert.deepEqual(
    urls.filter((url) => url.includes('update=early')).map((url) => new URL(url).pathname.slice(-8)),
    ['n/v4/tcb', 'identity'],
  );
});

void test('simultaneous requests become one', async () => {
  const { transport, urls } = counting();
  const cache = cacheWith({ transport });
  await Promise.all(Array.from({ length: 20 }, () => fetchIntelCollateral(cache, source, required)));
  assert.equal(urls.length, 4);
});

void test('an older answer is given at once while a new one is fetched; an expired one never', async () => {
  const counted = counting();
  const stale: string[] = [];
  const cache = cacheWith({ transport: counted.transport, onStale: (url) => stale.push(url) });
  await fetchIntelCollateral(cache, source, required);
  clock = start + 7 * hour;
  await fetchIntelCollateral(cache, source, required);
  await settle();
  assert.equal(counted.urls.length, 8);
  counted.fail(503);
  clock = start + 14 * hour;
  await fetchIntelCollateral(cache, source, required);
  await settle();
  assert.equal(stale.length, 4);
  clock = start + 40 * 24 * hour;
  await assert.rejects(fetchIntelCollateral(cache, source, required), withCode('COLLATERAL_FETCH'));
  clock = start;
});

void test('a server that fails for a while is asked again, one that knows nothing is not', async () => {
  const counted = counting();
  let failures = 2;
  const flaky: Transport = async (url, limits) =>
    failures-- > 0
      ? { status: 503, headers: { 'retry-after': '0' }, body: new Uint8Array() }
      : counted.transport(url, limits);
  await fetchIntelCollateral(cacheWith({ transport: flaky }), source, required);
  const other = { ...required, fmspc: '000000000000' };
  await assert.rejects(
    fetchIntelCollateral(cacheWith({ transport: counted.transport }), source, other),
    withCode('COLLATERAL_UNKNOWN'),
  );
  const impatient: Transport = async () => ({
    status: 429,
    headers: { 'retry-after': '3600' },
    body: new Uint8Array(),
  });
  await assert.rejects(
    fetchIntelCollateral(cacheWith({ transport: impatient }), source, required),
    withCode('COLLATERAL_FETCH'),
  );
});

void test('a damaged file in the cache is fetched anew', async () => {
  const path = join(folder, 'damaged');
  const { transport, urls } = counting();
  const cache = cacheWith({ transport, store: new DiskStore(path) });
  await fetchIntelCollateral(cache, source, required);
  for (const name of readdirSync(path)) writeFileSync(join(path, name), '{');
  await fetchIntelCollateral(cache, source, required);
  assert.equal(urls.length, 8);
});

void test('a bundle carries everything to a machine without a network', async () => {
  const cache = cacheWith({ transport: counting().transport });
  const collateral = await fetchIntelCollateral(cache, source, required);
  const bundle = new TextEncoder().encode(exportBundle(cache.store));
  const offline = cacheWith({});
  await assert.rejects(fetchIntelCollateral(offline, source, required), withCode('COLLATERAL_FETCH'));
  assert.equal(importBundle(offline.store, bundle), 4);
  assert.equal(importBundle(offline.store, bundle), 0);
  assert.deepEqual(await fetchIntelCollateral(offline, source, required), collateral);
  assert.throws(
    () => importBundle(offline.store, new TextEncoder().encode('{}')),
    withCode('COLLATERAL_BUNDLE'),
  );
});

void test('collateral below the watermark is refused, and no time before it is judged', async () => {
  const collateral = await vendor.collateral();
  const mark = advanceWatermark(noWatermark, collateral);
  assert.deepEqual(advanceWatermark(mark, collateral), mark);
  assert.equal(judgementTime(new Date(0), mark).getTime(), mark.time);
  for (const of of Object.keys(mark.numbers)) {
    const higher = { ...mark, numbers: { ...mark.numbers, [of]: (mark.numbers[of] ?? 0) + 1 } };
    assert.throws(() => advanceWatermark(higher, collateral), withCode('COLLATERAL_ROLLED_BACK'), of);
  }
});

void test('watermarks last, rise with genuine verdicts only, and simulation never moves those of real vendors', async () => {
  const path = join(folder, 'state', 'watermarks.json');
  const open = (): Watermarks => new Watermarks(new WatermarkFile(path), [vendor.rootCertificate]);
  const collateral = await vendor.collateral();
  const genuine = await verifySgxQuote(quote, collateral, options);
  const undecided = await verifySgxQuote(quote, undefined, options);
  await open().settle(undecided, collateral);
  assert.equal(open().time(new Date(0)).getTime(), 0);
  await open().settle(genuine, collateral);
  const seen = open().time(new Date(0)).getTime();
  assert.ok(seen > start - hour && seen <= start);
  assert.equal(new Watermarks(new WatermarkFile(path)).time(new Date(0)).getTime(), 0);
  await open().settle(genuine, collateral);

  const book = JSON.parse(readFileSync(path, 'utf8')) as WatermarkBook;
  const [anchor, mark] = Object.entries(book.anchors)[0] ?? ['', { numbers: {}, time: 0 }];
  assert.match(anchor, /^simulated /);
  for (const of of Object.keys(mark.numbers)) {
    const numbers = { ...mark.numbers, [of]: (mark.numbers[of] ?? 0) + 1 };
    writeFileSync(path, JSON.stringify({ ...book, anchors: { [anchor]: { ...mark, numbers } } }));
    await assert.rejects(open().settle(genuine, collateral), withCode('COLLATERAL_ROLLED_BACK'), of);
  }
  writeFileSync(path, '{}');
  assert.throws(() => open().time(new Date(0)), withCode('COLLATERAL_DISK'));
});

void test('the cache serves the node as a PCCS', async () => {
  const cache = cacheWith({ transport: counting().transport });
  const served = await serveHandler((path) => answerPccs(cache, source, path), {
    host: '127.0.0.1',
    port: 0,
  });
  try {
    const client = cacheWith({ transport: fetchTransport });
    const collateral = await fetchIntelCollateral(client, pccsSource(served.base), required);
    assert.equal((await verifySgxQuote(quote, collateral, options)).tcbStatus, 'UpToDate');
    assert.equal((await fetch(`${served.base}/sgx/certification/v4/tcb?fmspc=000000000000`)).status, 404);
    assert.equal((await fetch(`${served.base}/etc/passwd`)).status, 404);
  } finally {
    await served.close();
  }
});

void test('chips of AMD are looked up by id and TCB', async () => {
  for (const product of ['Milan', 'Turin'] as const) {
    const authority = await makeAmdAuthority(product, new Date(start), 2048);
    const chip = await makeChip(authority, new Date(start));
    const kds = kdsHandler({ authority, chips: [chip], now: () => new Date(clock) });
    const transport: Transport = async (url) => {
      const { pathname, search } = new URL(url);
      return kds(`${pathname}${search}`);
    };
    const bytes = makeSnpReport(chip, { reportData, version: 3 });
    const wanted = requiredAmdCollateral(parseSnpReport(bytes));
    assert.ok(wanted);
    const waits: number[] = [];
    const retry = {
      tries: 1,
      pause: 1,
      longestPause: 1,
      timeout: 1,
      sleep: async (time: number) => void waits.push(time),
    };
    const cache = cacheWith({ transport, spacing: () => 10_000, retry });
    const collateral = await fetchAmdCollateral(cache, 'https://kds.example', wanted);
    const verdict = await verifySnpReport(bytes, collateral, {
      ...options,
      insecureSimulatedRoots: [authority.ark.certificate],
    });
    assert.deepEqual(verdict.failures, []);
    const watermarks = new Watermarks(new MemoryWatermarks(), [authority.ark.certificate]);
    await watermarks.settle(verdict, undefined);
    assert.ok(watermarks.time(new Date(0)).getTime() > 0);
    assert.ok(waits.length >= 2 && waits.every((time) => time === 10_000));
    const unknown = { ...wanted, hwId: 'ff'.repeat(8) };
    await assert.rejects(
      fetchAmdCollateral(cache, 'https://kds.example', unknown),
      withCode('COLLATERAL_UNKNOWN'),
    );
  }
});
