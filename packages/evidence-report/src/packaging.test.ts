import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concatBytes, toHex, utf8 } from '@ensconce/base/bytes';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { CollateralPool } from '@ensconce/verify/collateral-pool';
import { issueAmdCollateral } from '@ensconce/simulation/amd/collateral';
import { issueIntelCollateral } from '@ensconce/simulation/intel/collateral';
import { makeAmdAuthority } from '@ensconce/simulation/amd/authority';
import { makeCertificateTable, makeSnpReport } from '@ensconce/simulation/snp/quote';
import { reportFields } from '@ensconce/simulation/snp/fields';
import { encodeReportFields } from '@ensconce/evidence/snp/fields';
import { EvidenceError } from '@ensconce/evidence/errors';
import { makeChip } from '@ensconce/simulation/amd/chip';
import { makeIntelAuthority } from '@ensconce/simulation/intel/authority';
import { makePlatform } from '@ensconce/simulation/intel/platform';
import { makeSgxQuote } from '@ensconce/simulation/sgx/quote';
import { makeTdxQuote } from '@ensconce/simulation/tdx/quote';
import { encodeEventLog, extendRegisters, type Measured } from '@ensconce/simulation/tpm/event-log';
import { upToDateTcb } from '@ensconce/simulation/vendor';
import { decodeText } from './files.ts';
import { showCommand } from './show.ts';
import { verifyCommand, type VerificationReport } from './verify.ts';

const at = new Date('2026-11-22T12:00:00Z');
const dates = { issued: new Date(at.getTime() - 60_000), next: new Date(at.getTime() + 86_400_000) };
const intel = await makeIntelAuthority(at);
const platform = await makePlatform(intel, at);
const amd = await makeAmdAuthority('Milan', at, 2048);
const chip = await makeChip(amd, at);
const reportData = new Uint8Array(64).fill(7);
const { revocationLists } = await issueAmdCollateral(amd, chip, { ...dates, number: 1 });

async function judge(evidence: Uint8Array): Promise<VerificationReport> {
  const pool = new CollateralPool();
  for (const tee of ['sgx', 'tdx'] as const)
    pool.addIntel(
      await issueIntelCollateral(intel, {
        dates,
        tcb: upToDateTcb(platform, tee, at),
        ca: 'platform',
        crlNumber: 1,
      }),
    );
  for (const der of revocationLists) pool.add(der);
  const { report } = await verifyCommand({
    evidence: decodeText(evidence),
    pool,
    at,
    policy: undefined,
    json: true,
    allowTrailing: false,
    insecureSimulatedRoots: [intel.root.certificate, amd.ark.certificate],
  });
  return report;
}

const text = (value: unknown): Uint8Array => utf8(JSON.stringify(value));
const report = makeSnpReport(chip, { reportData });
const table = makeCertificateTable(chip, amd);
const events: Measured[] = [
  { index: 1, type: 0x8000_0001, data: utf8('firmware') },
  { index: 2, type: 0x8000_0003, data: utf8('kernel') },
  { index: 4, type: 6, data: utf8('image') },
];
const rtmrs = extendRegisters(events, 'sha384', 5).slice(1) as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
  Uint8Array,
];
const td = makeTdxQuote(platform, { reportData, rtmrs });
const ccLog = encodeEventLog(events, ['sha384'], 256);
const entries = events.map(({ index, type, data }) => ({
  imr: index - 1,
  event_type: type,
  digest: toHex(nodeCrypto.sha384(data) as Uint8Array),
}));
const enclave = {
  mrenclave: new Uint8Array(32),
  mrsigner: new Uint8Array(32),
  isvprodid: 0,
  isvsvn: 0,
  reportData,
};
const quote = makeSgxQuote(platform, enclave);

function openEnclave(evidence: Uint8Array): Uint8Array {
  const header = new DataView(new ArrayBuffer(16));
  header.setUint32(0, 1, true);
  header.setUint32(4, 2, true);
  header.setBigUint64(8, BigInt(evidence.length), true);
  return concatBytes(new Uint8Array(header.buffer), evidence);
}

const packed: Readonly<Record<string, readonly [tee: string, evidence: Uint8Array]>> = {
  'a quote as hexadecimal with 0x': ['sgx', utf8(`0x${quote.toHex()}\n`)],
  'a quote as base64url': ['sgx', utf8(quote.toBase64({ alphabet: 'base64url', omitPadding: true }))],
  'a quote as numbers': ['sgx', text([...quote])],
  'a quote behind an Open Enclave header': ['sgx', openEnclave(quote)],
  'a quote with the firmware’s log': ['tdx', text({ quote: td.toBase64(), cc_eventlog: ccLog.toBase64() })],
  'a quote without a log': ['tdx', text({ quote: td.toHex(), cc_eventlog: null })],
  'configfs-tsm with certificates': [
    'snp',
    text({ outblob: report.toBase64(), auxblob: table.toBase64(), provider: 'sev_guest\n' }),
  ],
  'configfs-tsm without certificates': ['tdx', text({ outblob: td.toBase64(), provider: 'tdx_guest\n' })],
  'a report with its certificate table behind it': ['snp', concatBytes(report, table)],
};

void test('evidence is taken out of the packaging that tools give it', async () => {
  for (const [name, [tee, evidence]] of Object.entries(packed)) {
    const judged = await judge(evidence);
    assert.deepEqual(
      judged.checks.filter((check) => !check.ok),
      [],
      name,
    );
    assert.equal(judged.verdict, 'accepted', name);
    assert.equal(judged.tee, tee, name);
    assert.equal(showCommand(decodeText(evidence), true).exitCode, 0, name);
  }
});

void test('a log of entries must explain the RTMRs', async () => {
  const good = await judge(text({ quote: td.toHex(), event_log: JSON.stringify(entries) }));
  assert.equal(good.verdict, 'accepted');
  for (const log of [entries.slice(1), entries.toReversed().slice(1), []]) {
    const bad = await judge(text({ quote: td.toHex(), event_log: log }));
    assert.equal(bad.verdict, 'not-genuine', `${log.length} entries`);
  }
});

void test('what is no packaging, or is broken, cannot be read', async () => {
  for (const value of [
    { quote: 'no bytes' },
    { quote: td.toHex(), event_log: [{ imr: 99, digest: '00' }] },
    { quote: td.toHex(), event_log: [{ imr: 0 }] },
    { outblob: '', auxblob: '' },
    { quote: { inner: 1 } },
    [1, 2, 300],
    {},
  ]) {
    const judged = await judge(text(value));
    assert.equal(judged.verdict, 'not-genuine', JSON.stringify(value).slice(0, 60));
    assert.equal(showCommand(text(value), true).exitCode, 11);
  }
});

const chain = {
  VCEK: chip.vek.certificate,
  ASK: amd.ask.certificate,
  ARK: amd.ark.certificate,
};

void test('an SNP report is read from its fields, with the certificates beside it', async () => {
  const old = makeSnpReport(chip, { reportData, version: 2 });
  const named = Object.fromEntries(Object.entries(chain).map(([name, der]) => [name, der.toBase64()]));
  const forms = [
    reportFields(old, 'old', chain),
    reportFields(report, 'numbers', chain),
    reportFields(report, 'hexadecimal', chain),
    { tee: 'snp', evidence: reportFields(report, 'numbers', chain) },
    { attestation_report: report.toBase64(), cert_chain: named },
  ];
  for (const form of forms) {
    const { checks, verdict } = await judge(text(form));
    assert.deepEqual(
      checks.filter((check) => !check.ok),
      [],
    );
    assert.equal(verdict, 'accepted');
  }
  assert.equal((await judge(text(reportFields(report, 'numbers')))).verdict, 'undetermined');
});

void test('fields give the very bytes of the report, of each version and product', async () => {
  for (const product of ['Milan', 'Genoa', 'Turin'] as const) {
    const other = await makeChip(await makeAmdAuthority(product, at, 2048), at);
    for (const version of [3, 4, 5] as const) {
      const bytes = makeSnpReport(other, { reportData, version });
      const { attestation_report: fields } = reportFields(bytes, 'numbers') as Record<string, object>;
      assert.equal(toHex(encodeReportFields({ ...fields })), toHex(bytes), `${product} ${version}`);
    }
  }
});

void test('a field that is changed makes the report false, and one that is no such field makes it unreadable', async () => {
  const { attestation_report: fields, cert_chain: certificates } = reportFields(
    report,
    'numbers',
    chain,
  ) as Record<string, Record<string, unknown>>;
  for (const change of [
    { guest_svn: 1 },
    { measurement: Array.from({ length: 48 }, () => 1) },
    { key_info: 1 },
  ]) {
    const changed = { attestation_report: { ...fields, ...change }, cert_chain: certificates };
    assert.equal((await judge(text(changed))).verdict, 'not-genuine', JSON.stringify(change));
  }
  for (const name of Object.keys(fields ?? {})) {
    for (const value of ['x', -1, 2 ** 70, [1], { a: 1 }, true])
      assert.throws(
        () => encodeReportFields({ ...fields, [name]: value }),
        EvidenceError,
        `${name} ${JSON.stringify(value)}`,
      );
  }
  const many = { attestation_report: fields, cert_chain: Array.from({ length: 17 }, () => 'AA==') };
  assert.equal((await judge(text(many))).verdict, 'not-genuine');
});
