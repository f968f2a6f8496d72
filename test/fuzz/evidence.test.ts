/**
 * Coverage-guided fuzzing of every parser of untrusted bytes in evidence and collateral: inputs that reach new code are kept and changed further.
 * A few seconds in the test run; for longer: `ENSCONCE_FUZZ_SECONDS=600 node --test test/fuzz/evidence.test.ts`.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { equalBytes } from '@ensconce/base/bytes';
import { EnsconceError } from '@ensconce/base/errors';
import { decodeCbor } from '@ensconce/evidence/cbor';
import { detectEvidence } from '@ensconce/evidence/detect';
import { isAzureEvidence, parseAzureEvidence } from '@ensconce/evidence/azure/envelope';
import { makeAmdAuthority } from '@ensconce/simulation/amd/authority';
import { makeChip } from '@ensconce/simulation/amd/chip';
import { makeIntelAuthority } from '@ensconce/simulation/intel/authority';
import { issueIntelCollateral } from '@ensconce/simulation/intel/collateral';
import { makePlatform } from '@ensconce/simulation/intel/platform';
import { makeSgxQuote } from '@ensconce/simulation/sgx/quote';
import { makeCertificateTable, makeSnpReport } from '@ensconce/simulation/snp/quote';
import { makeTdxQuote } from '@ensconce/simulation/tdx/quote';
import { upToDateTcb } from '@ensconce/simulation/vendor';
import { parseCertificate } from '@ensconce/x509/certificate';
import { parseCertificateTable } from '@ensconce/evidence/snp/certificate-table';
import { parseEnclaveIdentity } from '@ensconce/verify/intel/enclave-identity';
import { parseEventLog } from '@ensconce/evidence/event-log';
import { parseHclReport } from '@ensconce/evidence/azure/quote';
import { parseHclRuntimeData } from '@ensconce/evidence/azure/body';
import { parseIntelBundle, encodeIntelBundle } from '@ensconce/verify/intel/collateral';
import { parseNitroDocument } from '@ensconce/evidence/nitro/quote';
import { parsePck } from '@ensconce/verify/intel/pck';
import { parseRevocationList } from '@ensconce/x509/crl';
import { parseSgxQuote } from '@ensconce/evidence/sgx/quote';
import { parseSnpReport } from '@ensconce/evidence/snp/quote';
import { parseTcbInfo } from '@ensconce/verify/intel/tcb-info';
import { parseTdxQuote } from '@ensconce/evidence/tdx/quote';
import { parseTpmQuote } from '@ensconce/evidence/tpm/quote';
import { parseVek } from '@ensconce/verify/snp/vek';
import { pemBlocks } from '@ensconce/x509/pem';
import { requiredFor } from '@ensconce/verify/intel/required';
import { CollateralPool } from '@ensconce/verify/collateral-pool';
import { Coverage } from './coverage.ts';
import { mutate, random } from './mutate.ts';

const seconds = Number(process.env['ENSCONCE_FUZZ_SECONDS'] ?? 4);
const seed = Number(process.env['ENSCONCE_FUZZ_SEED'] ?? 1);

const at = new Date('2026-11-22T12:00:00Z');
const intel = await makeIntelAuthority(at);
const platform = await makePlatform(intel, at);
const amd = await makeAmdAuthority('Milan', at, 2048);
const chip = await makeChip(amd, at);
const reportData = new Uint8Array(64);
const collateral = await issueIntelCollateral(intel, {
  dates: { issued: at, next: new Date(at.getTime() + 86_400_000) },
  tcb: upToDateTcb(platform, 'tdx', at),
  ca: 'platform',
  crlNumber: 1,
  revokedPcks: ['01', '02'],
});
const utf8 = (text: string | undefined): Uint8Array => new TextEncoder().encode(text ?? '');
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

const enclave = {
  mrenclave: new Uint8Array(32),
  mrsigner: new Uint8Array(32),
  isvprodid: 0,
  isvsvn: 0,
  reportData,
};
const seeds: Uint8Array[] = [
  makeSgxQuote(platform, enclave),
  makeSgxQuote(platform, { ...enclave, version: 5 }, { certificationType: 1 }),
  makeTdxQuote(platform, { reportData }),
  makeTdxQuote(platform, { reportData, kind: 'td-1.5-extended' }),
  makeSnpReport(chip, { reportData }),
  makeCertificateTable(chip, amd),
  platform.pck.certificate,
  chip.vek.certificate,
  amd.ask.certificate,
  collateral.pckCrl ?? new Uint8Array(),
  utf8(collateral.tcbInfo),
  utf8(collateral.qeIdentity),
  utf8(encodeIntelBundle(collateral)),
  Uint8Array.fromHex('8444a1013822a04fa3696d6f64756c655f69646161667363'),
  Uint8Array.fromHex('ff54434780180022000b' + '00'.repeat(96)),
  utf8('HCLA' + '\0'.repeat(1300)),
  utf8('{"keys":[{"kid":"HCLAkPub","kty":"RSA","n":"AQAB","e":"AQAB"}],"user-data":"00"}'),
  utf8('{"hcl_report":"SENMQQ","tpm_quote":{"message":"00","signature":"00","pcrs":["00"]}}'),
  Uint8Array.of(
    0,
    0,
    0,
    0,
    3,
    0,
    0,
    0,
    ...new Uint8Array(20),
    16,
    0,
    0,
    0,
    ...utf8('Spec ID Event03\0'),
    ...new Uint8Array(64),
  ),
];

/** Each takes any bytes, and either gives a value or throws an error of ours. */
const parsers: readonly ((bytes: Uint8Array) => unknown)[] = [
  (bytes) => parseSgxQuote(bytes),
  (bytes) => parseTdxQuote(bytes, 'ignore'),
  (bytes) => parseSnpReport(bytes, 'ignore'),
  parseCertificateTable,
  (bytes) => parsePck(parseCertificate(bytes)),
  (bytes) => parseVek(parseCertificate(bytes)),
  parseRevocationList,
  (bytes) => pemBlocks(text(bytes), 'CERTIFICATE', 8),
  (bytes) => parseTcbInfo(text(bytes)),
  (bytes) => parseEnclaveIdentity(text(bytes)),
  parseIntelBundle,
  decodeCbor,
  parseNitroDocument,
  (bytes) => parseTpmQuote(bytes, bytes.subarray(8)),
  parseHclReport,
  parseHclRuntimeData,
  (bytes) => (isAzureEvidence(bytes) ? parseAzureEvidence(bytes) : undefined),
  parseEventLog,
  detectEvidence,
  (bytes) => requiredFor(bytes, 'sgx'),
  (bytes) => new CollateralPool().add(bytes),
];

/** Milliseconds that one parser may take for one input. */
const slowest = 250;

function attempt(parse: (bytes: Uint8Array) => unknown, bytes: Uint8Array): number {
  const start = performance.now();
  try {
    parse(bytes);
  } catch (error) {
    if (!(error instanceof EnsconceError))
      throw new Error(`${String(error)} for ${bytes.toHex()}`, { cause: error });
  }
  return performance.now() - start;
}

function run(bytes: Uint8Array): void {
  const before = Uint8Array.from(bytes);
  for (const parse of parsers) {
    let time = attempt(parse, bytes);
    // The machine may have paused: what counts is the best of several tries.
    for (let again = 0; time > slowest && again < 4; again++) time = Math.min(time, attempt(parse, bytes));
    assert.ok(time < slowest, `at most ${slowest} ms expected, ${time} found for ${bytes.toHex()}`);
  }
  assert.ok(equalBytes(bytes, before), `parsers leave their input alone: ${before.toHex()}`);
}

void test(`no parser throws anything but its own error (${seconds} s)`, (t) => {
  const coverage = new Coverage('/packages/');
  const corpus = [...seeds];
  const next = random(seed);
  const pick = (): Uint8Array => corpus[Math.floor(next() * corpus.length)] as Uint8Array;
  for (const bytes of seeds) run(bytes);
  coverage.fresh();
  const end = performance.now() + seconds * 1000;
  let runs = 0;
  while (performance.now() < end) {
    const batch = Array.from({ length: 16 }, () => mutate(pick(), pick(), next));
    for (const bytes of batch) run(bytes);
    runs += batch.length;
    if (coverage.fresh() > 0) corpus.push(...batch);
  }
  coverage.stop();
  t.diagnostic(`${runs} inputs, ${corpus.length} kept, ${coverage.size} blocks`);
});
