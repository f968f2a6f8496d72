import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { postSession } from '@ensconce/api/client';
import { CollateralCache, type CacheOptions } from '@ensconce/collateral/cache';
import { DiskStore, MemoryStore } from '@ensconce/collateral/disk';
import { pccsSource } from '@ensconce/collateral/intel';
import { cachedSource, pooledSource, type CollateralSource } from '@ensconce/collateral/source';
import { fetchTransport } from '@ensconce/collateral/transport';
import { MemoryWatermarks } from '@ensconce/collateral/watermarks';
import { serveHandler } from '@ensconce/simulation/servers/http';
import { pcsHandler } from '@ensconce/simulation/servers/pcs';
import { openSimulatedVendor, type SimulatedVendor } from '@ensconce/simulation/vendor';
import { CollateralPool } from '@ensconce/verify/collateral-pool';
import { casUnderTest, clientKeys, testFolder } from '../../test/cas-under-test.ts';
import { attestOnce, imageFor, measure } from '../../test/service-under-test.ts';
import { sessionText } from '../../test/session-text.ts';
import { evidenceVerifier, type EvidenceVerifier, type VerifierOptions } from './verifier.ts';

interface Server {
  readonly base: string;
  /** Paths that were asked for. */
  readonly asked: string[];
  /** What it answers instead: a status, or nothing at all. */
  fault: number | 'silent' | undefined;
}

/** The simulated Intel behind real HTTP. */
async function pcs(t: TestContext, vendor: SimulatedVendor): Promise<Server> {
  const handler = pcsHandler(vendor.pcsContent());
  const server: { asked: string[]; fault: Server['fault']; base: string } = {
    asked: [],
    fault: undefined,
    base: '',
  };
  const running = await serveHandler(
    async (path) => {
      server.asked.push(path);
      if (server.fault === 'silent') await new Promise(() => undefined);
      if (typeof server.fault === 'number')
        return { status: server.fault, headers: {}, body: new Uint8Array() };
      return handler(path);
    },
    { host: '127.0.0.1', port: 0 },
  );
  t.after(() => running.close());
  server.base = running.base;
  return server;
}

const retry = { tries: 2, pause: 1, longestPause: 10, timeout: 500, sleep: async () => undefined };

function over(server: Server, change: Partial<CacheOptions> = {}): CollateralSource {
  const cache = new CollateralCache({
    store: new MemoryStore(),
    transport: fetchTransport,
    now: () => Date.now(),
    retry,
    ...change,
  });
  return cachedSource(cache, pccsSource(server.base));
}

const openVendor = (t: TestContext): Promise<SimulatedVendor> =>
  openSimulatedVendor({ folder: testFolder(t), now: () => new Date() });

const believing = (
  vendor: SimulatedVendor,
  source: CollateralSource,
  more: Partial<VerifierOptions> = {},
): EvidenceVerifier =>
  evidenceVerifier({
    insecureSimulatedVendor: {
      rootCertificate: vendor.rootCertificate,
      fmspc: vendor.fmspc,
      collateralSource: source,
    },
    ...more,
  });

const quoteOf = (vendor: SimulatedVendor): Uint8Array =>
  vendor.makeSgxQuote({
    mrenclave: new Uint8Array(32).fill(1),
    mrsigner: new Uint8Array(32),
    isvprodid: 0,
    isvsvn: 0,
    reportData: new Uint8Array(64),
  });

void test('collateral comes over HTTP, once for many, and stays good while the server is down', async (t) => {
  const vendor = await openVendor(t);
  const server = await pcs(t, vendor);
  const folder = join(testFolder(t), 'collateral');
  const verifier = believing(vendor, over(server, { store: new DiskStore(folder) }));
  const request = {
    format: 'sgx',
    evidence: quoteOf(vendor),
    now: new Date(),
    watermarks: new MemoryWatermarks(),
  } as const;
  const verdicts = await Promise.all(Array.from({ length: 8 }, () => verifier.verify(request)));
  for (const verdict of verdicts)
    assert.deepEqual([verdict.outcome, verdict.tcbStatus], ['genuine', 'UpToDate']);
  assert.equal(server.asked.length, 4);
  server.fault = 503;
  const restarted = believing(vendor, over(server, { store: new DiskStore(folder) }));
  assert.equal((await restarted.verify(request)).outcome, 'genuine');
  const later = { ...request, now: new Date(request.now.getTime() + 40 * 86_400_000) };
  const expired = over(server, { store: new DiskStore(folder), now: () => later.now.getTime() });
  assert.equal((await believing(vendor, expired).verify(later)).outcome, 'undetermined');
});

void test('where collateral cannot be had nothing is decided, and the operator is told why', async (t) => {
  const vendor = await openVendor(t);
  const server = await pcs(t, vendor);
  const request = { format: 'sgx', evidence: quoteOf(vendor), now: new Date() } as const;
  for (const fault of [500, 404, 'silent'] as const) {
    server.fault = fault;
    const failures: unknown[] = [];
    const verifier = believing(vendor, over(server), {
      timeout: 200,
      onFailure: (_platform, error) => failures.push(error),
    });
    const verdict = await verifier.verify({ ...request, watermarks: new MemoryWatermarks() });
    assert.equal(verdict.outcome, 'undetermined', String(fault));
    assert.equal(failures.length, 1);
  }
  const none = evidenceVerifier({ collateral: pooledSource(new CollateralPool()) });
  assert.equal(
    (await none.verify({ ...request, watermarks: new MemoryWatermarks() })).outcome,
    'not-genuine',
  );
});

void test('evidence that is false by itself makes nobody ask the server', async (t) => {
  const vendor = await openVendor(t);
  const server = await pcs(t, vendor);
  const stranger = await openVendor(t);
  const verifier = believing(vendor, over(server), { collateral: over(server) });
  const good = quoteOf(vendor);
  const wrong = [
    quoteOf(stranger),
    Uint8Array.from(good, (byte, i) => (i === 112 ? byte ^ 1 : byte)),
    good.subarray(0, -1),
    new Uint8Array(64),
  ];
  for (const evidence of wrong) {
    const verdict = await verifier.verify({
      format: 'sgx',
      evidence,
      now: new Date(),
      watermarks: new MemoryWatermarks(),
    });
    assert.equal(verdict.outcome, 'not-genuine');
  }
  assert.deepEqual(server.asked, []);
});

void test('collateral from files needs no server', async (t) => {
  const vendor = await openVendor(t);
  const pool = new CollateralPool();
  pool.addIntel(await vendor.collateral());
  const verdict = await believing(vendor, pooledSource(pool)).verify({
    format: 'sgx',
    evidence: quoteOf(vendor),
    now: new Date(),
    watermarks: new MemoryWatermarks(),
  });
  assert.equal(verdict.outcome, 'genuine');
});

void test('CAS attests by collateral from a server, and tells a service to try again where there is none', async (t) => {
  const folder = testFolder(t);
  const vendor = await openSimulatedVendor({ folder: join(folder, 'vendor'), now: () => new Date() });
  const server = await pcs(t, vendor);
  server.fault = 503;
  const started = await casUnderTest(t, { folder, verifier: believing(vendor, over(server)) });
  const { cas, connect } = started;
  const image = imageFor(cas);
  await postSession(await connect(await clientKeys()), sessionText({ name: 's', mrenclave: measure(image) }));
  const service = { cas, vendor, image, configId: 's/app' };
  const refused = (await attestOnce(service)).answer;
  assert.ok(refused.type === 'refused');
  assert.deepEqual([refused.code, refused.retry], ['CAS_EVIDENCE_UNDECIDED', true]);
  assert.ok(!JSON.stringify(refused).includes(server.base));
  server.fault = undefined;
  const { answer, connection } = await attestOnce(service);
  assert.equal(answer.type, 'configured');
  connection.socket.destroy();
  await cas.close();

  // A CAS that starts again still knows what it has seen: an older list is not taken for the newest.
  const past = await openSimulatedVendor({
    folder: join(folder, 'vendor'),
    now: () => new Date(Date.now() - 60_000),
  });
  const again = await casUnderTest(t, { folder, verifier: believing(vendor, past.collateralSource) });
  const old = (await attestOnce({ ...service, cas: again.cas })).answer;
  assert.ok(old.type === 'refused');
  assert.deepEqual([old.code, old.retry], ['CAS_EVIDENCE_UNDECIDED', true]);
  assert.match(old.msg.join(': '), /number \d+ or higher expected/);
});
