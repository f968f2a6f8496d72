import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { utf8 } from '@ensconce/base/bytes';
import { chainProblem, orderChain } from '@ensconce/x509/chain';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { parseEnclaveIdentity } from '@ensconce/verify/intel/enclave-identity';
import { parsePck } from '@ensconce/verify/intel/pck';
import { parsePemCertificates, type Certificate } from '@ensconce/x509/certificate';
import { parseRevocationList } from '@ensconce/x509/crl';
import { openSimulatedVendor } from '../vendor.ts';
import { pcsHandler } from './pcs.ts';

const now = new Date('2026-11-22T12:00:00Z');
const folder = mkdtempSync(join(tmpdir(), 'ensconce-pcs-'));
after(() => rmSync(folder, { recursive: true }));
const vendor = await openSimulatedVendor({ folder, now: () => now });
const pcs = pcsHandler(vendor.pcsContent());
const v4 = (tee: 'sgx' | 'tdx', rest: string): string => `/${tee}/certification/v4/${rest}`;
const tcb = `tcb?fmspc=${vendor.fmspc.toUpperCase()}`;

interface Statement {
  readonly signature: string;
  readonly tcbInfo?: { readonly id: string; readonly tcbEvaluationDataNumber: number };
  readonly enclaveIdentity?: { readonly id: string; readonly tcbEvaluationDataNumber: number };
  readonly tcbEvaluationDataNumbers?: {
    readonly id: string;
    readonly tcbEvalNumbers: readonly { readonly tcbEvaluationDataNumber: number }[];
  };
}

/** The statement of a response, after its signature and the chain in its header were checked. */
async function signed(path: string, header: string): Promise<Statement> {
  const answer = await pcs(path);
  assert.equal(answer.status, 200, path);
  const text = new TextDecoder().decode(answer.body);
  const statement = JSON.parse(text) as Statement;
  const line = orderChain(parsePemCertificates(decodeURIComponent(answer.headers[header] ?? '')));
  assert.equal(await chainProblem(nodeCrypto, line), undefined);
  const inner = text.slice(text.indexOf(':') + 1, text.lastIndexOf(',"signature"'));
  const key = await nodeCrypto.publicKey((line[0] as Certificate).spki, 'ecdsa-p256-sha256');
  assert.equal(await key.verify(Uint8Array.fromHex(statement.signature), utf8(inner)), true, path);
  return statement;
}

const status = async (path: string): Promise<number> => (await pcs(path)).status;

void test('TCB info and identities are served for each evaluation that there is', async () => {
  for (const [tee, identity] of [
    ['sgx', 'QE'],
    ['tdx', 'TD_QE'],
  ] as const) {
    for (const [query, number] of [
      ['', 1],
      ['update=standard', 1],
      ['update=early', 2],
      ['tcbEvaluationDataNumber=2', 2],
    ] as const) {
      const info = await signed(v4(tee, `${tcb}&${query}`), 'TCB-Info-Issuer-Chain');
      assert.equal(info.tcbInfo?.id, tee.toUpperCase());
      assert.equal(info.tcbInfo.tcbEvaluationDataNumber, number, query);
      const qe = await signed(v4(tee, `qe/identity?${query}`), 'SGX-Enclave-Identity-Issuer-Chain');
      assert.equal(qe.enclaveIdentity?.id, identity);
      assert.equal(qe.enclaveIdentity.tcbEvaluationDataNumber, number, query);
    }
    const { tcbEvaluationDataNumbers: numbers } = await signed(
      v4(tee, 'tcbevaluationdatanumbers'),
      'TCB-Evaluation-Data-Numbers-Issuer-Chain',
    );
    assert.equal(numbers?.id, tee.toUpperCase());
    assert.deepEqual(
      numbers.tcbEvalNumbers.map((one) => one.tcbEvaluationDataNumber),
      [2, 1],
    );
  }
});

void test('the verification and the appraisal enclave have identities, for SGX only', async () => {
  for (const [path, id] of [
    ['qve/identity', 'QVE'],
    ['qae/identity?update=early', 'QAE'],
  ] as const) {
    const { enclaveIdentity } = await signed(v4('sgx', path), 'SGX-Enclave-Identity-Issuer-Chain');
    assert.equal(parseEnclaveIdentity(JSON.stringify(enclaveIdentity)).id, id);
    assert.equal(await status(v4('tdx', path)), 404);
  }
});

void test('PCK certificates come with their TCB, lists in the encoding that was asked for', async () => {
  const ppid = `encrypted_ppid=${'0a'.repeat(384)}&pceid=0000`;
  const one = await pcs(v4('sgx', `pckcert?${ppid}&cpusvn=${'00'.repeat(16)}&pcesvn=0000`));
  const [leaf] = parsePemCertificates(new TextDecoder().decode(one.body));
  const pck = parsePck(leaf as Certificate);
  assert.equal(one.headers['SGX-FMSPC'], vendor.fmspc.toUpperCase());
  assert.equal(one.headers['SGX-PCK-Certificate-CA-Type'], 'platform');
  assert.equal(one.headers['SGX-TCBm'], `${pck.cpuSvn}0d00`.toUpperCase());
  const all = await pcs(v4('sgx', `pckcerts?${ppid}`));
  const [listed] = JSON.parse(new TextDecoder().decode(all.body)) as { cert: string; tcbm: string }[];
  assert.equal(listed?.tcbm, one.headers['SGX-TCBm']);
  assert.deepEqual(utf8(decodeURIComponent(listed?.cert ?? '')), one.body);
  const der = await pcs(v4('sgx', 'pckcrl?ca=platform&encoding=der'));
  assert.ok(parseRevocationList(der.body));
  const pem = await pcs(v4('sgx', 'pckcrl?ca=platform'));
  assert.match(new TextDecoder().decode(pem.body), /^-----BEGIN X509 CRL-----/);
  assert.deepEqual(JSON.parse(new TextDecoder().decode((await pcs(v4('sgx', 'fmspcs'))).body)), [
    { fmspc: vendor.fmspc.toUpperCase(), platform: 'E5' },
  ]);
  assert.equal(new TextDecoder().decode((await pcs(v4('sgx', 'fmspcs?platform=client'))).body), '[]');
});

void test('what is asked wrongly, unknown or withdrawn has the status that Intel gives it', async () => {
  for (const path of [
    v4('sgx', 'tcb'),
    v4('sgx', 'tcb?fmspc=00'),
    v4('sgx', `${tcb}&update=early&tcbEvaluationDataNumber=2`),
    v4('sgx', `${tcb}&update=late`),
    v4('tdx', 'qe/identity?tcbEvaluationDataNumber=x'),
    v4('sgx', 'pckcrl?ca=root'),
    v4('sgx', 'pckcert?pceid=0000'),
    v4('sgx', 'fmspcs?platform=E9'),
  ])
    assert.equal(await status(path), 400, path);
  for (const path of [
    v4('sgx', 'tcb?fmspc=000000000001'),
    v4('sgx', `${tcb}&tcbEvaluationDataNumber=3`),
    v4('tdx', 'qe/identity?tcbEvaluationDataNumber=3'),
    v4('sgx', 'qve/identity?tcbEvaluationDataNumber=3'),
    v4('tdx', 'pckcrl?ca=platform'),
    v4('sgx', 'nothing'),
    '/',
  ])
    assert.equal(await status(path), 404, path);
  for (const path of [
    v4('sgx', `${tcb}&tcbEvaluationDataNumber=0`),
    v4('tdx', 'qe/identity?tcbEvaluationDataNumber=0'),
  ])
    assert.equal(await status(path), 410, path);
});
