import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '@ensconce/base/bytes';
import { detectEvidence } from '@ensconce/evidence/detect';
import { EvidenceError } from '@ensconce/evidence/errors';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { appraise } from '@ensconce/verify/appraisal';
import { CollateralPool } from '@ensconce/verify/collateral-pool';
import { VerificationCache } from '@ensconce/verify/cache';
import { verifyEvidence } from '@ensconce/verify/verify';
import type { CertificateClaims } from '@ensconce/verify/ra-tls/claims';
import type { Claims } from '@ensconce/verify/claims';
import type { Verdict } from '@ensconce/verify/verdict';
import { pemEncode } from '@ensconce/x509/pem';
import { checkFlips } from '../../test/flips.ts';
import { generateEcKey, generateRsaKey } from '../key.ts';
import { issueAmdCollateral } from '../amd/collateral.ts';
import { issueIntelCollateral } from '../intel/collateral.ts';
import { makeAmdAuthority } from '../amd/authority.ts';
import { makeChip } from '../amd/chip.ts';
import { makeIntelAuthority } from '../intel/authority.ts';
import { makePlatform } from '../intel/platform.ts';
import { makeSgxQuote } from '../sgx/quote.ts';
import { makeSnpReport } from '../snp/quote.ts';
import { makeTdxQuote } from '../tdx/quote.ts';
import { upToDateTcb } from '../vendor.ts';
import {
  makeRaTlsCertificate,
  makeRaTlsCertificateRequest,
  type RaTlsFaults,
  type RaTlsForm,
  type RaTlsRequest,
} from './certificate.ts';

const at = new Date('2026-11-22T12:00:00Z');
const day = 86_400_000;
const dates = { issued: new Date(at.getTime() - 60_000), next: new Date(at.getTime() + day) };
const amd = await makeAmdAuthority('Genoa', at, 2048);
const chip = await makeChip(amd, at);
const intel = await makeIntelAuthority(at);
const platform = await makePlatform(intel, at);
const key = generateEcKey('P-256');

const quotes = {
  sgx: (reportData: Uint8Array) =>
    makeSgxQuote(platform, {
      mrenclave: new Uint8Array(32).fill(1),
      mrsigner: new Uint8Array(32).fill(2),
      isvprodid: 1,
      isvsvn: 1,
      reportData,
    }),
  tdx: (reportData: Uint8Array) => makeTdxQuote(platform, { reportData }, { padding: 307 }),
  snp: (reportData: Uint8Array) => makeSnpReport(chip, { reportData }),
} as const;
type Tee = keyof typeof quotes;

async function makePool(): Promise<CollateralPool> {
  const pool = new CollateralPool();
  for (const tee of ['sgx', 'tdx'] as const) {
    const tcb = upToDateTcb(platform, tee, at);
    pool.addIntel(await issueIntelCollateral(intel, { dates, tcb, ca: 'platform', crlNumber: 1 }));
  }
  const { certificates, revocationLists } = await issueAmdCollateral(amd, chip, { ...dates, number: 1 });
  for (const der of [...certificates, ...revocationLists]) pool.add(der);
  return pool;
}
const pool = await makePool();
const options = {
  crypto: nodeCrypto,
  at,
  cache: new VerificationCache(),
  insecureSimulatedRoots: [amd.ark.certificate, intel.root.certificate],
};

const request = (form: RaTlsForm, tee: Tee = 'sgx', change: Partial<RaTlsRequest> = {}): RaTlsRequest => ({
  form,
  key,
  notBefore: new Date(at.getTime() - day),
  notAfter: new Date(at.getTime() + day),
  quote: quotes[tee],
  ...change,
});
const make = (form: RaTlsForm, tee?: Tee, faults?: RaTlsFaults): Promise<Uint8Array> =>
  makeRaTlsCertificate(request(form, tee), faults);

async function judge(bytes: Uint8Array): Promise<Verdict> {
  const verdict = await verifyEvidence(bytes, pool, options);
  assert.ok(verdict !== undefined);
  return verdict;
}

function certificateOf(claims: Claims | null): CertificateClaims {
  assert.ok(claims !== null && 'certificate' in claims && claims.certificate !== null);
  return claims.certificate;
}

const forms: readonly RaTlsForm[] = [
  'interoperable',
  'dstack',
  'c8s',
  'gramine',
  'open-enclave',
  'enarx',
  'intel-sdk',
];

void test('each form of certificate is judged by what is in it, and names the key that it vouches for', async () => {
  const spki = key.publicKey.export({ format: 'der', type: 'spki' });
  for (const form of forms) {
    const verdict = await judge(await make(form));
    assert.deepEqual(verdict.failures, [], form);
    assert.equal(verdict.tcbStatus, 'UpToDate');
    assert.equal(
      certificateOf(verdict.claims).publicKey,
      Buffer.from(await nodeCrypto.sha256(spki)).toString('hex'),
    );
  }
});

void test('quotes of TDs and reports of SNP are carried too, in padded buffers as well', async () => {
  for (const tee of ['tdx', 'snp'] as const) {
    for (const form of ['interoperable', 'dstack', 'enarx'] as const) {
      const verdict = await judge(await make(form, tee));
      assert.deepEqual(verdict.failures, [], `${form} ${tee}`);
      assert.equal(verdict.tee, tee);
    }
  }
});

void test('a certificate is read as DER and as PEM, a chain by its first, and a request like a certificate', async () => {
  const der = await make('gramine');
  const pem = pemEncode(der, 'CERTIFICATE');
  const other = pemEncode(amd.ark.certificate, 'CERTIFICATE');
  for (const text of [pem, `subject=CN = a\n${pem}`, pem + other])
    assert.deepEqual((await judge(utf8(text))).failures, []);
  const csr = await makeRaTlsCertificateRequest(request('enarx'));
  for (const bytes of [csr, utf8(pemEncode(csr, 'CERTIFICATE REQUEST'))])
    assert.deepEqual((await judge(bytes)).failures, []);
  const broken = await makeRaTlsCertificateRequest(request('enarx'), { wrongSignature: true });
  assert.equal((await judge(broken)).outcome, 'not-genuine');
  await assert.rejects(judge(utf8(other + pem)), EvidenceError);
});

void test('a bare quote may name the key by each digest that makers use, for keys of each kind', async () => {
  const bindings = new Set<string>();
  for (const one of [key, generateEcKey('P-384'), generateRsaKey(2048)]) {
    for (let binding = 0; ; binding++) {
      let bytes: Uint8Array;
      try {
        bytes = await makeRaTlsCertificate(request('gramine', 'sgx', { key: one, binding }));
      } catch (error) {
        assert.ok(error instanceof RangeError && binding >= 7);
        break;
      }
      const verdict = await judge(bytes);
      assert.deepEqual(verdict.failures, []);
      bindings.add(certificateOf(verdict.claims).binding);
    }
  }
  assert.equal(bindings.size, 10);
});

void test('evidence in a certificate for another key is not genuine, in any form', async () => {
  for (const form of forms) {
    for (const fault of [{ movedEvidence: true }, { wrongSignature: true }] satisfies RaTlsFaults[]) {
      const verdict = await judge(await make(form, 'sgx', fault));
      assert.equal(verdict.outcome, 'not-genuine', `${form} ${Object.keys(fault).join('')}`);
      assert.equal(verdict.claims, null);
    }
  }
  for (const form of forms.filter((one) => one !== 'gramine' && one !== 'intel-sdk')) {
    const verdict = await judge(await make(form, 'snp', { longReportData: true }));
    assert.equal(verdict.outcome, 'not-genuine', form);
  }
});

void test('claims between evidence and key are held to both', async () => {
  for (const fault of [{ otherKeyHash: true }, { changedClaims: true }] satisfies RaTlsFaults[])
    assert.equal((await judge(await make('interoperable', 'tdx', fault))).outcome, 'not-genuine');
  assert.equal((await judge(await make('c8s', 'tdx', { changedClaims: true }))).outcome, 'not-genuine');
  const nonce = utf8('nonce');
  const verdict = await judge(await makeRaTlsCertificate(request('interoperable', 'sgx', { nonce })));
  assert.equal(certificateOf(verdict.claims).claims['nonce'], nonce.toHex());
});

void test('the binding is checked even where there is no collateral', async () => {
  const none = new CollateralPool();
  const right = await verifyEvidence(await make('dstack'), none, options);
  assert.equal(right?.outcome, 'undetermined');
  const moved = await verifyEvidence(await make('dstack', 'sgx', { movedEvidence: true }), none, options);
  assert.equal(moved?.outcome, 'not-genuine');
});

const policy = {
  acceptSimulation: true,
  tolerate: [],
  ignoreAdvisories: [],
  sgx: 'not-checked',
  reportData: 'not-checked',
} as const;

void test('a certificate outside of its dates is genuine but not accepted', async () => {
  const current = await judge(await make('gramine'));
  assert.equal(appraise(current, policy).decision, 'accepted');
  const old = { notBefore: new Date(at.getTime() - 2 * day), notAfter: new Date(at.getTime() - day) };
  const expired = await judge(await makeRaTlsCertificate(request('gramine', 'sgx', old)));
  assert.equal(appraise(expired, policy).decision, 'not-accepted');
});

void test('a certificate that another issued is genuine evidence for its key, but is not accepted', async () => {
  const issuer = { key: generateEcKey('P-256'), certificate: new Uint8Array(), name: 'CN=SIMULATED issuer' };
  const verdict = await judge(await makeRaTlsCertificate(request('dstack', 'sgx', { issuer })));
  assert.deepEqual(verdict.failures, []);
  const { selfSigned, subject, notAfter } = certificateOf(verdict.claims);
  assert.deepEqual([selfSigned, subject, notAfter], [false, null, null]);
  assert.equal(appraise(verdict, policy).decision, 'not-accepted');
});

void test('a certificate without evidence that can be read is refused and says why', async () => {
  const refused = async (bytes: Uint8Array, message: RegExp): Promise<void> => {
    assert.equal(detectEvidence(bytes), 'ra-tls');
    await assert.rejects(
      judge(bytes),
      (error) => error instanceof EvidenceError && message.test(error.message),
    );
  };
  await refused(
    await make('gramine', 'sgx', { withoutEvidence: true }),
    /an extension with evidence expected/,
  );
  await refused(await make('interoperable', 'sgx', { localReport: true }), /tag 60000/);
  // A PCK certificate says under the SDK's identifier what machine it is of: that is no quote.
  await refused(platform.pck.certificate, /an extension with evidence expected/);
  await refused((await make('dstack')).subarray(0, 3000), /certificate/);
});

void test('every flipped byte of a certificate is refused, or is one that nobody signs', async () => {
  const refused = await judge(await make('gramine', 'sgx', { movedEvidence: true }));
  // What is no certificate any more is refused without a verdict, and one with another issuer is not accepted.
  const judgeOrRefuse = async (bytes: Uint8Array): Promise<Verdict> => {
    try {
      const verdict = (await verifyEvidence(bytes, pool, options)) ?? refused;
      return verdict.outcome !== 'genuine' || certificateOf(verdict.claims).selfSigned ? verdict : refused;
    } catch (error) {
      if (!(error instanceof EvidenceError)) throw error;
      return refused;
    }
  };
  assert.equal(await checkFlips(await make('interoperable'), judgeOrRefuse), 0);
});
