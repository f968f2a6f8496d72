/**
 * `npm run bench -- evidence`: verifications per second in one thread, beside a JavaScript peer on the same quotes and beside two raw P-256
 * verifications of the same OpenSSL.
 */
import { createRequire } from 'node:module';
import { generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { webCrypto } from '@ensconce/crypto-web/provider';
import { encodeIntelBundle, type IntelCollateral } from '@ensconce/verify/intel/collateral';
import { issueIntelCollateral } from '@ensconce/simulation/intel/collateral';
import { loadPlatform, makePlatform, storePlatform } from '@ensconce/simulation/intel/platform';
import { makeIntelAuthority } from '@ensconce/simulation/intel/authority';
import { makeSgxQuote } from '@ensconce/simulation/sgx/quote';
import { upToDateTcb } from '@ensconce/simulation/vendor';
import { VerificationCache } from '@ensconce/verify/cache';
import { verifySgxQuote } from '@ensconce/verify/sgx/verify';
import type { VerifyOptions } from '@ensconce/verify/options';
import { report, summary } from './support/report.ts';
import { refuseMore } from './support/usage.ts';

interface Peer {
  readonly QuoteVerifier: {
    newWithRootCa(root: Uint8Array): { verify(quote: Uint8Array, collateral: unknown, now: number): unknown };
  };
}

const peer = createRequire(import.meta.url)('@phala/dcap-qvl') as Peer;

const raw = 'two raw P-256 verifications';
const unseen = 'warm, attestation key not seen';
const peerName = '@phala/dcap-qvl';

type Row = readonly [name: string, run: (index: number) => unknown];
const rounds = 25;
/** Milliseconds of processor time for each row in each round. */
const slice = 60;

/** Of all threads, the collector's and WebCrypto's included: on a busy machine the wall clock measures the other programs. */
function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/**
 * Operations per second of processor time, of each row in each round. The rows take turns, so that what else the machine does falls on all of them, and a round's rates
 * can be held against each other.
 */
async function measure(rows: readonly Row[]): Promise<Map<string, number[]>> {
  const rates = new Map(rows.map(([name]) => [name, [] as number[]]));
  const indexes = rows.map(() => 0);
  for (let round = 0; round < rounds; round++) {
    for (const [at, [name, run]] of rows.entries()) {
      const start = processorTime();
      let count = 0;
      let elapsed = 0;
      for (; elapsed < slice; elapsed = processorTime() - start) {
        await run(indexes[at] as number);
        indexes[at] = (indexes[at] as number) + 1;
        count++;
      }
      rates.get(name)?.push((count / elapsed) * 1000);
    }
  }
  return rates;
}

/** Two verifications with keys at hand, nothing else. */
function rawPair(): () => void {
  const pairs = [816, 384].map((size) => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const data = randomBytes(size);
    return { publicKey, data, signature: sign('sha256', data, privateKey) };
  });
  return () => {
    for (const { publicKey, data, signature } of pairs) {
      if (!verify('sha256', data, publicKey, signature)) throw new Error('bench: a valid signature expected');
    }
  };
}

interface Setup {
  readonly at: Date;
  readonly root: Uint8Array;
  readonly collateral: IntelCollateral;
  /** Quotes of one attestation key. */
  readonly same: readonly Uint8Array[];
  /** Quotes of one attestation key each, all of one platform. */
  readonly fresh: readonly Uint8Array[];
}

async function setUp(): Promise<Setup> {
  const at = new Date();
  const authority = await makeIntelAuthority(at);
  const platform = await makePlatform(authority, at);
  const stored = storePlatform(platform);
  const quote = (one: typeof platform, isvsvn: number): Uint8Array =>
    makeSgxQuote(one, {
      mrenclave: randomBytes(32),
      mrsigner: randomBytes(32),
      isvprodid: 0,
      isvsvn,
      reportData: randomBytes(64),
    });
  const fresh = Array.from({ length: 1500 }, (_, index) => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const attestationKey = privateKey.export({ type: 'pkcs8', format: 'pem' });
    return quote(loadPlatform(authority, { ...stored, attestationKey }), index % 1000);
  });
  return {
    at,
    root: authority.root.certificate,
    collateral: await issueIntelCollateral(authority, {
      dates: { issued: new Date(at.getTime() - 60_000), next: new Date(at.getTime() + 86_400_000) },
      tcb: upToDateTcb(platform, 'sgx', at),
      ca: 'platform',
      crlNumber: 1,
    }),
    same: Array.from({ length: 500 }, (_, index) => quote(platform, index)),
    fresh,
  };
}

async function check(quote: Uint8Array, setup: Setup, options: VerifyOptions): Promise<void> {
  const verdict = await verifySgxQuote(quote, setup.collateral, options);
  if (verdict.tcbStatus !== 'UpToDate') throw new Error(`bench: UpToDate expected, ${verdict.outcome} found`);
}

export async function bench(args: readonly string[]): Promise<void> {
  refuseMore(args, 0);
  const setup = await setUp();
  const options: VerifyOptions = { crypto: nodeCrypto, at: setup.at, insecureSimulatedRoots: [setup.root] };
  const warm = { ...options, cache: new VerificationCache() };
  const web = { ...options, crypto: webCrypto, cache: new VerificationCache() };
  const of = (quotes: readonly Uint8Array[], index: number): Uint8Array =>
    quotes[index % quotes.length] as Uint8Array;
  const bundle = JSON.parse(encodeIntelBundle(setup.collateral)) as unknown;
  const verifier = peer.QuoteVerifier.newWithRootCa(Buffer.from(setup.root));
  const now = Math.floor(setup.at.getTime() / 1000);
  await check(of(setup.same, 0), setup, warm);
  show(
    await measure([
      [raw, rawPair()],
      [unseen, (i) => check(of(setup.fresh, i), setup, warm)],
      ['warm, attestation key seen', (i) => check(of(setup.same, i), setup, warm)],
      ['cold (no cache)', (i) => check(of(setup.same, i), setup, options)],
      ['WebCrypto, warm, key not seen', (i) => check(of(setup.fresh, i), setup, web)],
      ['WebCrypto, warm, key seen', (i) => check(of(setup.same, i), setup, web)],
      [peerName, (i) => verifier.verify(Buffer.from(of(setup.same, i)), bundle, now)],
    ]),
  );
}

/** Rate of one row in hundredths of another's, round by round: what slows a whole round falls out. */
function ratio(
  rates: ReadonlyMap<string, readonly number[]>,
  name: string,
  to: string,
  digits: number,
): string {
  const base = rates.get(to) ?? [];
  const { min, median, max } = summary((rates.get(name) ?? []).map((rate, i) => rate / (base[i] as number)));
  return `${median.toFixed(digits)} (${min.toFixed(digits)} to ${max.toFixed(digits)})`;
}

function show(rates: ReadonlyMap<string, readonly number[]>): void {
  const names = [...rates.keys()];
  report('evidence', {
    unit: 'verifications per second of processor time, one thread',
    rows: Object.fromEntries(names.map((name) => [name, summary(rates.get(name) ?? [])])),
    notes: [
      `${rounds} rounds in which the rows take turns; ratios within a round: median (lowest to highest)`,
      ...names.slice(1).map((name) => `${name}: ${ratio(rates, name, raw, 2)} of raw`),
      `${unseen}: ${ratio(rates, unseen, peerName, 1)} times the peer`,
    ],
  });
}
