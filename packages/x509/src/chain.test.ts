import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { chainProblem, orderChain } from './chain.ts';
import { isSignedBy } from './signature.ts';
import { parseCertificate, parsePemCertificates, type Certificate } from './certificate.ts';
import { parseRevocationList } from './crl.ts';
import { pemBlocks, pemEncode } from './pem.ts';
import { X509Error } from './errors.ts';

const vectors = join(
  process.env['ENSCONCE_SHARED'] ?? join(import.meta.dirname, '../../../../shared'),
  'vectors',
);
const skip = existsSync(join(vectors, 'manifest.json')) ? false : `NOT RUN: no vectors in ${vectors}`;

const amd = (name: string): Certificate =>
  parseCertificate(readFileSync(join(vectors, 'amd-collateral', name)));
const intel = (name: string): Certificate[] =>
  parsePemCertificates(readFileSync(join(vectors, 'intel-collateral/certs', name), 'utf8'));

void test('certificates are put in order, whatever order they came in', { skip }, async () => {
  const [root, ca] = [...intel('intel-sgx-root-ca.pem'), ...intel('pck-platform-ca.pem')] as [
    Certificate,
    Certificate,
  ];
  for (const given of [
    [root, ca],
    [ca, root],
  ]) {
    const line = orderChain(given);
    assert.deepEqual(line, [ca, root]);
    assert.equal(await chainProblem(nodeCrypto, line), undefined);
  }
  for (const given of [
    [],
    [ca],
    [root, root],
    [root, ca, parseCertificate(ca.der)],
    [root, amd('ask-milan.der')],
  ])
    assert.throws(() => orderChain(given), X509Error);
});

void test(
  'RSA-PSS and ECDSA chains of both vendors hold, and not under each other’s authorities',
  { skip },
  async () => {
    for (const product of ['milan', 'genoa', 'turin']) {
      assert.equal(
        await chainProblem(nodeCrypto, [amd(`ask-${product}.der`), amd(`ark-${product}.der`)]),
        undefined,
      );
      assert.equal(
        await chainProblem(nodeCrypto, [amd(`asvk-${product}.der`), amd(`ark-${product}.der`)]),
        undefined,
      );
    }
    assert.match(
      (await chainProblem(nodeCrypto, [amd('ask-milan.der'), amd('ark-genoa.der')])) ?? '',
      /not issued/,
    );
    const [root, ca, signing] = [
      ...intel('intel-sgx-root-ca.pem'),
      ...intel('pck-processor-ca.pem'),
      ...intel('tcb-signing-2018-2025-ec37d9.pem'),
    ] as [Certificate, Certificate, Certificate];
    assert.match((await chainProblem(nodeCrypto, [ca, signing, root])) ?? '', /./);
    assert.match(
      (await chainProblem(nodeCrypto, [{ ...ca, issuer: signing.subject }, signing, root])) ?? '',
      /wrong|authority/,
    );
  },
);

void test('each flipped byte of a certificate breaks it or its signature', { skip }, async () => {
  const [root] = intel('intel-sgx-root-ca.pem') as [Certificate];
  const [ca] = intel('pck-platform-ca.pem') as [Certificate];
  for (let i = 0; i < ca.der.length; i++) {
    const flipped = Uint8Array.from(ca.der).with(i, (ca.der[i] as number) ^ 1);
    let problem: string | undefined = 'unreadable';
    try {
      problem = await chainProblem(nodeCrypto, [parseCertificate(flipped), root]);
    } catch (error) {
      assert.ok(error instanceof X509Error);
    }
    assert.notEqual(problem, undefined, `byte ${i}`);
  }
});

void test('revocation lists of NIST’s path validation suite', { skip }, async () => {
  const folder = join(vectors, 'negative/nist-pkits/mobilecoinfoundation__attestation');
  const authority = parseCertificate(readFileSync(join(folder, 'GoodCACert.crt')));
  const good = parseRevocationList(readFileSync(join(folder, 'GoodCACRL.crl')));
  assert.equal(await isSignedBy(nodeCrypto, good, authority), true);
  assert.equal(good.revoked.size, 2);
  // Its signature does not even have the form of one.
  assert.throws(() => parseRevocationList(readFileSync(join(folder, 'BadCRLSignatureCACRL.crl'))), X509Error);
  const flipped = { ...good, signature: good.signature.with(9, (good.signature[9] ?? 0) ^ 1) };
  assert.equal(await isSignedBy(nodeCrypto, flipped, authority), false);
});

void test('every revocation list of the vendors is read', { skip }, () => {
  for (const name of readdirSync(join(vectors, 'intel-collateral/crl'))) {
    const list = parseRevocationList(readFileSync(join(vectors, 'intel-collateral/crl', name)));
    assert.ok(list.nextUpdate !== undefined && list.nextUpdate > list.thisUpdate, name);
    assert.ok(list.number !== undefined, name);
  }
});

void test('PEM is written and read back; broken blocks are refused', () => {
  const der = Uint8Array.from({ length: 100 }, (_, i) => i);
  const text = pemEncode(der, 'TEST');
  assert.deepEqual(pemBlocks(`x${text}\0${text}`, 'TEST', 2), [der, der]);
  assert.deepEqual(pemBlocks(text, 'OTHER', 2), []);
  assert.throws(() => pemBlocks(text + text, 'TEST', 1), X509Error);
  assert.throws(() => pemBlocks(text.slice(0, -10), 'TEST', 1), X509Error);
  assert.throws(() => pemBlocks(text.replace('A', '*'), 'TEST', 1), X509Error);
});
