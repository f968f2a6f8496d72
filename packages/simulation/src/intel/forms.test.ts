import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toHex, utf8 } from '@ensconce/base/bytes';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { CollateralPool } from '@ensconce/verify/collateral-pool';
import { encodeIntelBundle, type IntelCollateral } from '@ensconce/verify/intel/collateral';
import { verifyEvidence } from '@ensconce/verify/verify';
import { pemEncode } from '@ensconce/x509/pem';
import type { Verdict } from '@ensconce/verify/verdict';
import { issueIntelCollateral, type CollateralRequest } from './collateral.ts';
import { makeIntelAuthority } from './authority.ts';
import { makePlatform } from './platform.ts';
import { makeSgxQuote } from '../sgx/quote.ts';
import { upToDateTcb } from '../vendor.ts';

const at = new Date('2026-11-22T12:00:00Z');
const day = 86_400_000;
const authority = await makeIntelAuthority(at);
const platform = await makePlatform(authority, at);
const enclave = {
  mrenclave: new Uint8Array(32).fill(1),
  mrsigner: new Uint8Array(32).fill(2),
  isvprodid: 1,
  isvsvn: 1,
  reportData: new Uint8Array(64).fill(7),
};
const quote = makeSgxQuote(platform, enclave);

const issue = (change: Partial<CollateralRequest> = {}): Promise<Required<IntelCollateral>> =>
  issueIntelCollateral(authority, {
    dates: { issued: new Date(at.getTime() - day), next: new Date(at.getTime() + 30 * day) },
    tcb: upToDateTcb(platform, 'sgx', at),
    ca: 'platform',
    crlNumber: 1,
    ...change,
  }) as Promise<Required<IntelCollateral>>;
const parts = await issue();
const signature = (bytes: Uint8Array | undefined): string => toHex(bytes as Uint8Array);
const tcbInfo = `{"tcbInfo":${parts.tcbInfo},"signature":"${signature(parts.tcbInfoSignature)}"}`;
const identity = `{"enclaveIdentity":${parts.qeIdentity},"signature":"${signature(parts.qeIdentitySignature)}"}`;
const rootCrl = parts.rootCaCrl as Uint8Array;
const pckCrl = parts.pckCrl as Uint8Array;
const chains = [utf8(parts.pckCrlIssuerChain ?? ''), utf8(parts.tcbInfoIssuerChain ?? '')];
const bundle = JSON.parse(encodeIntelBundle(parts)) as Record<string, string>;
const text = (value: unknown): Uint8Array => utf8(typeof value === 'string' ? value : JSON.stringify(value));
const percent = (value: string | undefined): string => encodeURIComponent(value ?? '');

async function judge(files: readonly Uint8Array[], evidence = quote): Promise<Verdict> {
  const pool = new CollateralPool();
  for (const file of files)
    assert.equal(pool.add(file), true, new TextDecoder().decode(file.subarray(0, 80)));
  const options = { crypto: nodeCrypto, at, insecureSimulatedRoots: [authority.root.certificate] };
  return (await verifyEvidence(evidence, pool, options)) as Verdict;
}

const forms: Readonly<Record<string, readonly Uint8Array[]>> = {
  'a bundle': [text(bundle)],
  'a bundle with names of another language': [
    text(
      Object.fromEntries(
        Object.entries(bundle).map(([key, value]) => [
          key.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase()),
          value,
        ]),
      ),
    ),
  ],
  'a bundle with lists as PEM, base64 and numbers': [
    text({
      ...bundle,
      root_ca_crl: pemEncode(rootCrl, 'X509 CRL'),
      pck_crl: pckCrl.toBase64(),
      tcb_info_signature: [...(parts.tcbInfoSignature as Uint8Array)],
    }),
  ],
  'a bundle of the strings that the vendor’s C library gives': [
    text({
      pck_crl_issuer_chain: `${parts.pckCrlIssuerChain}\0`,
      root_ca_crl: `${toHex(rootCrl)}\0`,
      pck_crl: `${toHex(pckCrl)}\0`,
      tcb_info_issuer_chain: `${parts.tcbInfoIssuerChain}\0`,
      tcb_info: `${tcbInfo}\0`,
      qe_identity_issuer_chain: `${parts.qeIdentityIssuerChain}\0`,
      qe_identity: `${identity}\0`,
    }),
  ],
  'a bundle inside of something else': [text({ version: 3, collateral: { intel: [bundle] } })],
  'responses as served, lists as DER, chains as PEM': [
    text(tcbInfo),
    text(identity),
    rootCrl,
    pckCrl,
    ...chains,
  ],
  'lists as PEM, hexadecimal and base64': [
    text(tcbInfo),
    text(identity),
    text(`${toHex(rootCrl)}\n`),
    text(pckCrl.toBase64()),
    ...chains,
  ],
  'response bodies and headers in files': [
    text(tcbInfo),
    text(`HTTP/1.1 200 OK\r\nTCB-Info-Issuer-Chain: ${percent(parts.tcbInfoIssuerChain)}\r\n`),
    text(identity),
    text(pemEncode(pckCrl, 'X509 CRL')),
    text(`SGX-PCK-CRL-Issuer-Chain: ${percent(parts.pckCrlIssuerChain)}`),
    rootCrl,
  ],
  'responses with their chains as JSON': [
    text({ tcb_info_json: tcbInfo, issuer_chain: parts.tcbInfoIssuerChain }),
    text({ enclave_identity_json: identity, issuer_chain: percent(parts.qeIdentityIssuerChain) }),
    text({ crl_data: pemEncode(pckCrl, 'X509 CRL'), issuer_chain: parts.pckCrlIssuerChain }),
    text({ crl_data: pemEncode(rootCrl, 'X509 CRL') }),
  ],
  'a response inside of other JSON': [
    text({ sgx: { tcb: JSON.parse(tcbInfo) as unknown, qe: [JSON.parse(identity)] } }),
    rootCrl,
    pckCrl,
    ...chains,
  ],
  'one container with everything': [
    Uint8Array.from([
      4,
      0,
      0xff,
      ...text(`${parts.pckCrlIssuerChain}\0${toHex(rootCrl)}\0${toHex(pckCrl)}\0`),
      ...text(`${parts.tcbInfoIssuerChain}\0${tcbInfo}\0${parts.qeIdentityIssuerChain}\0${identity}\0`),
    ]),
  ],
};

void test('collateral is understood in every form in which tools hand it around', async () => {
  for (const [form, files] of Object.entries(forms)) {
    const verdict = await judge(files);
    assert.deepEqual(verdict.failures, [], form);
    assert.equal(verdict.tcbStatus, 'UpToDate', form);
  }
});

void test('a statement that was written anew with other characters is refused, not repaired', async () => {
  const spaced = `{"tcbInfo": ${JSON.stringify(JSON.parse(parts.tcbInfo ?? ''), undefined, 1)},"signature":"${signature(parts.tcbInfoSignature)}"}`;
  const verdict = await judge([text(spaced), text(identity), rootCrl, pckCrl, ...chains]);
  assert.equal(verdict.outcome, 'not-genuine');
});

void test('members that are no collateral make a bundle false, and parts that are absent make it incomplete', async () => {
  for (const change of [
    { pck_crl: 'no list' },
    { root_ca_crl: '3000' },
    { tcb_info: '{' },
    { qe_identity: '[]' },
  ])
    assert.equal(
      (await judge([text({ ...bundle, ...change })])).outcome,
      'not-genuine',
      JSON.stringify(change),
    );
  for (const part of Object.keys(bundle)) {
    const verdict = await judge([text({ ...bundle, [part]: undefined })]);
    assert.equal(verdict.outcome, 'undetermined', part);
  }
});

void test('what a bundle lacks is taken from beside it', async () => {
  const verdict = await judge([text({ ...bundle, pck_crl: undefined, root_ca_crl: null }), rootCrl, pckCrl]);
  assert.deepEqual(verdict.failures, []);
});

void test('parts that fit go before a bundle of another platform', async () => {
  const foreign = await issue({ tcb: { ...upToDateTcb(platform, 'sgx', at), fmspc: '000000000001' } });
  const verdict = await judge([
    text(encodeIntelBundle(foreign)),
    text(tcbInfo),
    text(identity),
    rootCrl,
    pckCrl,
    ...chains,
  ]);
  assert.deepEqual(verdict.failures, []);
});

void test('of several bundles the one with the newest evaluation that is valid at the time counts', async () => {
  const withNumber = async (evaluationDataNumber: number, next: Date): Promise<Uint8Array> =>
    text(
      encodeIntelBundle(
        await issue({
          dates: { issued: new Date(at.getTime() - 2 * day), next },
          tcb: { ...upToDateTcb(platform, 'sgx', at), evaluationDataNumber },
        }),
      ),
    );
  const later = new Date(at.getTime() + day);
  const bundles = [
    await withNumber(17, later),
    await withNumber(18, later),
    await withNumber(19, new Date(at.getTime() - day)),
  ];
  for (const order of [bundles, bundles.toReversed()])
    assert.equal((await judge(order)).tcb?.evaluationDataNumber, 18);
});

void test('of several PCK certificates the one counts whose key signed; where none did, it is missing', async () => {
  const other = await makePlatform(authority, at);
  const third = await makePlatform(authority, at, { ca: 'processor' });
  const certificates = [other, third, platform].map((one) => one.chain);
  for (const certificationType of [1, 2, 3] as const) {
    const evidence = makeSgxQuote(platform, enclave, { certificationType });
    const right = await judge([text(bundle), ...certificates], evidence);
    assert.deepEqual(right.failures, [], `type ${certificationType}`);
    const missing = await judge([text(bundle), ...certificates.slice(0, 2)], evidence);
    assert.equal(missing.outcome, 'undetermined', `type ${certificationType}`);
  }
});
