/**
 * Coverage-guided fuzzing of every parser of untrusted bytes in evidence and collateral: inputs that reach new code are kept and changed further.
 * A few seconds in the test run; for longer: `ENSCONCE_FUZZ_SECONDS=600 node --test test/fuzz/evidence.test.ts`.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { equalBytes } from '@ensconce/base/bytes';
import { EnsconceError } from '@ensconce/base/errors';
import { decodeCbor } from '@ensconce/evidence/cbor';
import { detectEvidence } from '@ensconce/evidence/detect';
import { parseAzureEvidence } from '@ensconce/evidence/azure/envelope';
import { hardwareEvidence } from '@ensconce/evidence/hardware';
import { reportFields } from '@ensconce/simulation/snp/fields';
import { makeAmdAuthority } from '@ensconce/simulation/amd/authority';
import { makeChip } from '@ensconce/simulation/amd/chip';
import { makeIntelAuthority } from '@ensconce/simulation/intel/authority';
import { issueIntelCollateral } from '@ensconce/simulation/intel/collateral';
import { makePlatform } from '@ensconce/simulation/intel/platform';
import { makeSgxQuote } from '@ensconce/simulation/sgx/quote';
import { makeCertificateTable, makeSnpReport } from '@ensconce/simulation/snp/quote';
import { makeTdxQuote } from '@ensconce/simulation/tdx/quote';
import { upToDateTcb } from '@ensconce/simulation/vendor';
import { parseCertificate, parsePemCertificates } from '@ensconce/x509/certificate';
import { parseCertificateRequest } from '@ensconce/x509/request';
import { parseRaTlsCertificate } from '@ensconce/evidence/ra-tls/envelope';
import { parseCarriedQuote } from '@ensconce/evidence/ra-tls/quote';
import { makeRaTlsCertificate, makeRaTlsCertificateRequest } from '@ensconce/simulation/ra-tls/certificate';
import { generateEcKey } from '@ensconce/simulation/key';
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
import { parseTpmQuoteBody } from '@ensconce/evidence/tpm/body';
import { parseTpmEvidence } from '@ensconce/evidence/tpm/envelope';
import { parseNitroBody } from '@ensconce/evidence/nitro/body';
import { parseEnclaveReport } from '@ensconce/evidence/sgx/body';
import { parseTdReport } from '@ensconce/evidence/tdx/body';
import { parseSnpBody } from '@ensconce/evidence/snp/body';
import { parseAuthentication } from '@ensconce/evidence/intel/authentication';
import { parseCertificationData } from '@ensconce/evidence/intel/certification';
import { unpackEvidence } from '@ensconce/evidence/packaging';
import { parseAppraisalPolicy } from '@ensconce/verify/policy-file';
import { readCollateralFile } from '@ensconce/verify/collateral-reader';
import { parseWatermarks } from '@ensconce/collateral/watermark-file';
import { MemoryStore, parseStored } from '@ensconce/collateral/disk';
import { importBundle } from '@ensconce/collateral/bundle';
import { parseJson } from '@ensconce/base/json';
import { makeNitroAuthority } from '@ensconce/simulation/nitro/authority';
import { makeNitroDocument } from '@ensconce/simulation/nitro/quote';
import { makeTpm, makeTpmAuthority } from '@ensconce/simulation/tpm/authority';
import { makeTpmEvidence, signTpmQuote } from '@ensconce/simulation/tpm/quote';
import { encodeEventLog } from '@ensconce/simulation/tpm/event-log';
import { makeAzureSnpEvidence, makeAzureTdxEvidence } from '@ensconce/simulation/azure/envelope';
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
const nitro = await makeNitroAuthority(at);
const tpm = await makeTpm(await makeTpmAuthority(at), at);
const pcrs = Array.from({ length: 24 }, () => new Uint8Array(32));
const eventLog = encodeEventLog([{ index: 1, type: 1, data: utf8('firmware') }], ['sha256', 'sha384'], 16);
const azureRequest = { key: tpm.key, tpm: { nonce: new Uint8Array(32), pcrs } };
const azure = makeAzureSnpEvidence(chip, azureRequest);
const hcl = parseAzureEvidence(azure).hclReport;

const raTls = {
  key: generateEcKey('P-256'),
  notBefore: at,
  notAfter: new Date(at.getTime() + 86_400_000),
  quote: (bound: Uint8Array) => makeSgxQuote(platform, { ...enclave, reportData: bound }),
};

const seeds: Uint8Array[] = [
  ...(await Promise.all(
    (['interoperable', 'c8s', 'dstack', 'enarx'] as const).map((form) =>
      makeRaTlsCertificate({ ...raTls, form }),
    ),
  )),
  await makeRaTlsCertificateRequest({ ...raTls, form: 'enarx' }),
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
  await makeNitroDocument(nitro, { timestamp: at, userData: reportData }),
  makeTpmEvidence(tpm, { nonce: reportData, pcrs, eventLog }),
  signTpmQuote(tpm.key, { nonce: reportData, pcrs }).message,
  signTpmQuote(tpm.key, { nonce: reportData, pcrs }).signature,
  eventLog,
  azure,
  makeAzureTdxEvidence(platform, { ...azureRequest, form: 'numbers' }),
  hcl,
  parseHclReport(hcl).runtimeData,
  utf8(
    JSON.stringify(
      reportFields(makeSnpReport(chip, { reportData }), 'numbers', { VCEK: chip.vek.certificate }),
    ),
  ),
  utf8(JSON.stringify({ quote: '04', event_log: '[{"imr":0,"digest":"00"}]' })),
  utf8(JSON.stringify({ outblob: 'AwAA', auxblob: makeCertificateTable(chip, amd).toBase64() })),
  utf8(
    JSON.stringify({
      tolerate: ['outdated-tcb'],
      ignoreAdvisories: { sgx: ['INTEL-SA-1'] },
      sgx: [{ mrsigner: '00'.repeat(32), isvprodid: 1, isvsvn: { minimum: 1 } }],
      tpm: [{ pcrs: { 0: '00'.repeat(32) } }],
      minimumTcbDate: '2026-01-01T00:00:00Z',
    }),
  ),
  utf8(
    JSON.stringify({
      format: 'ensconce-watermarks/1',
      anchors: { production: { time: 1, numbers: { 'crl x': 2 } } },
    }),
  ),
  utf8(
    JSON.stringify({
      format: 'ensconce-collateral-bundle/1',
      entries: [
        {
          format: 'ensconce-collateral/1',
          url: 'https://a/',
          fetchedAt: 1,
          headers: { a: 'b' },
          body: 'AA==',
        },
      ],
    }),
  ),
];

/** A file's value as a parser of values gets it. */
const json = (bytes: Uint8Array): unknown => parseJson(bytes, 'fuzzed file', 16 * 1024 * 1024);

/** By name. Each takes any bytes, and either gives a value or throws an error of ours. */
const parsers: Readonly<Record<string, (bytes: Uint8Array) => unknown>> = {
  parseSgxQuote,
  parseTdxQuote: (bytes) => parseTdxQuote(bytes, 'ignore'),
  parseSnpReport: (bytes) => parseSnpReport(bytes, 'ignore'),
  parseCertificateTable,
  parsePck: (bytes) => parsePck(parseCertificate(bytes)),
  parseVek: (bytes) => parseVek(parseCertificate(bytes)),
  parseCertificate,
  parsePemCertificates: (bytes) => parsePemCertificates(text(bytes)),
  parseRevocationList,
  pemBlocks: (bytes) => pemBlocks(text(bytes), 'CERTIFICATE', 8),
  parseTcbInfo: (bytes) => parseTcbInfo(text(bytes)),
  parseEnclaveIdentity: (bytes) => parseEnclaveIdentity(text(bytes)),
  parseIntelBundle,
  readCollateralFile,
  decodeCbor,
  parseNitroDocument,
  parseNitroBody,
  parseTpmQuote: (bytes) => parseTpmQuote(bytes, bytes.subarray(8)),
  parseTpmQuoteBody,
  parseTpmEvidence,
  parseHclReport,
  parseHclRuntimeData,
  parseAzureEvidence,
  parseEventLog,
  parseEnclaveReport: (bytes) => parseEnclaveReport(bytes),
  parseTdReport: (bytes) => parseTdReport(bytes),
  parseSnpBody: (bytes) => parseSnpBody(bytes),
  parseAuthentication: (bytes) => parseAuthentication(bytes, true),
  parseCertificationData: (bytes) => parseCertificationData(bytes[0] ?? 0, bytes.subarray(1)),
  parseCertificateRequest: (bytes) => parseCertificateRequest(bytes, 65_536),
  parseRaTlsCertificate,
  parseCarriedQuote,
  detectEvidence,
  hardwareEvidence,
  unpackEvidence,
  requiredFor: (bytes) => requiredFor(bytes, 'sgx'),
  addToPool: (bytes) => new CollateralPool().add(bytes),
  parseAppraisalPolicy: (bytes) => parseAppraisalPolicy(json(bytes)),
  parseWatermarks: (bytes) => parseWatermarks(bytes, 'watermarks.json'),
  parseStored: (bytes) => parseStored(json(bytes)),
  importBundle: (bytes) => importBundle(new MemoryStore(), bytes),
};

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
  for (const parse of Object.values(parsers)) {
    let time = attempt(parse, bytes);
    // The machine may have paused: what counts is the best of several tries.
    for (let again = 0; time > slowest && again < 4; again++) time = Math.min(time, attempt(parse, bytes));
    assert.ok(time < slowest, `at most ${slowest} ms expected, ${time} found for ${bytes.toHex()}`);
  }
  assert.ok(equalBytes(bytes, before), `parsers leave their input alone: ${before.toHex()}`);
}

const sources = ['evidence', 'x509', 'verify', 'collateral'].map((name) =>
  join(import.meta.dirname, '../../packages', name, 'src'),
);
/** Steps of parsers that are fuzzed, or readers of values whose bytes a fuzzed parser read. */
const steps: ReadonlySet<string> = new Set(['parseChecked', 'parseSigned']);

void test('every parser of evidence and collateral is fuzzed', () => {
  const declared = sources.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
      .flatMap((name) => [
        ...readFileSync(join(folder, name), 'utf8').matchAll(/^export function (parse[A-Z]\w*)/gm),
      ])
      .map((match) => match[1] as string),
  );
  assert.ok(declared.length > 20);
  const missing = declared.filter((name) => !Object.hasOwn(parsers, name) && !steps.has(name));
  assert.deepEqual(missing, []);
});

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
