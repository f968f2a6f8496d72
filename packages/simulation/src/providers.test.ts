import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { webCrypto } from '@ensconce/crypto-web/provider';
import { EvidenceError } from '@ensconce/evidence/errors';
import { CollateralPool } from '@ensconce/verify/collateral-pool';
import { verifyEvidence } from '@ensconce/verify/verify';
import { X509Error } from '@ensconce/x509/errors';
import { issueAmdCollateral } from './amd/collateral.ts';
import { issueIntelCollateral } from './intel/collateral.ts';
import { makeAmdAuthority } from './amd/authority.ts';
import { makeAzureSnpEvidence } from './azure/envelope.ts';
import { makeChip } from './amd/chip.ts';
import { makeIntelAuthority } from './intel/authority.ts';
import { makeNitroAuthority } from './nitro/authority.ts';
import { makeNitroDocument } from './nitro/quote.ts';
import { makePlatform } from './intel/platform.ts';
import { makeSnpReport } from './snp/quote.ts';
import { makeTdxQuote } from './tdx/quote.ts';
import { makeTpm, makeTpmAuthority } from './tpm/authority.ts';
import { makeTpmEvidence } from './tpm/quote.ts';
import { generateEcKey, generateRsaKey } from './key.ts';
import { makeRaTlsCertificate } from './ra-tls/certificate.ts';
import { upToDateTcb } from './vendor.ts';

const at = new Date('2026-11-22T12:00:00Z');
const dates = { issued: new Date(at.getTime() - 60_000), next: new Date(at.getTime() + 86_400_000) };
const intel = await makeIntelAuthority(at);
const platform = await makePlatform(intel, at);
const amd = await makeAmdAuthority('Turin', at, 2048);
const chip = await makeChip(amd, at);
const nitro = await makeNitroAuthority(at);
const tpmVendor = await makeTpmAuthority(at);
const pcrs = Array.from({ length: 24 }, (_, index) => new Uint8Array(32).fill(index));
const reportData = new Uint8Array(64).fill(7);
const quoted = { nonce: reportData.subarray(0, 32), pcrs };

const pool = new CollateralPool();
const tcb = upToDateTcb(platform, 'tdx', at);
pool.addIntel(await issueIntelCollateral(intel, { dates, tcb, ca: 'platform', crlNumber: 1 }));
const { certificates, revocationLists } = await issueAmdCollateral(amd, chip, { ...dates, number: 1 });
for (const der of [...certificates, ...revocationLists]) pool.add(der);

const raTls = {
  notBefore: dates.issued,
  notAfter: dates.next,
  quote: (bound: Uint8Array) => makeTdxQuote(platform, { reportData: bound }),
};
const rsa = await makeTpm(tpmVendor, at, 'rsa');
const evidence: Readonly<Record<string, Uint8Array>> = {
  tdx: makeTdxQuote(platform, { reportData, kind: 'td-1.5' }),
  snp: makeSnpReport(chip, { reportData, version: 5 }),
  'ra-tls, P-384': await makeRaTlsCertificate({
    ...raTls,
    form: 'interoperable',
    key: generateEcKey('P-384'),
  }),
  'ra-tls, RSA': await makeRaTlsCertificate({ ...raTls, form: 'open-enclave', key: generateRsaKey(2048) }),
  nitro: await makeNitroDocument(nitro, { timestamp: at, userData: reportData }),
  azure: makeAzureSnpEvidence(chip, { key: rsa.key, tpm: quoted }),
  'tpm, RSA': makeTpmEvidence(rsa, quoted),
  'tpm, P-256': makeTpmEvidence(await makeTpm(tpmVendor, at, 'ecc'), quoted),
};

void test('both providers of cryptography give the same verdict, to its last word', async () => {
  const roots = [intel.root, amd.ark, nitro.root, tpmVendor.root].map((one) => one.certificate);
  const judge = async (bytes: Uint8Array, crypto: typeof nodeCrypto): Promise<unknown> => {
    try {
      return (await verifyEvidence(bytes, pool, { crypto, at, insecureSimulatedRoots: roots }))?.toJSON();
    } catch (error) {
      if (!(error instanceof EvidenceError)) throw error;
      return error.message;
    }
  };
  for (const [name, bytes] of Object.entries(evidence)) {
    const slow = (await judge(bytes, webCrypto)) as { outcome: string };
    assert.equal(slow.outcome, 'genuine', name);
    assert.deepEqual(slow, await judge(bytes, nodeCrypto), name);
    for (let i = 0; i < bytes.length; i += 211) {
      const flipped = Uint8Array.from(bytes).with(i, (bytes[i] as number) ^ 1);
      assert.deepEqual(
        await judge(flipped, webCrypto),
        await judge(flipped, nodeCrypto),
        `${name}: byte ${i}`,
      );
    }
  }
});

void test('both providers refuse a key of an unusual size in the same words', async () => {
  for (const bits of [1024, 2040]) {
    const { n = '', e = '' } = generateRsaKey(bits).publicKey.export({ format: 'jwk' });
    const messages = await Promise.all(
      [nodeCrypto, webCrypto].map(async (crypto) => {
        try {
          await crypto.publicKeyOfJwk({ kty: 'RSA', n, e }, 'rsa-pkcs1-sha256');
          return 'none';
        } catch (error) {
          assert.ok(error instanceof X509Error);
          return error.message;
        }
      }),
    );
    assert.match(messages[0] ?? '', /rsa-pkcs1-sha256 of a usual size expected/);
    assert.equal(messages[0], messages[1]);
  }
});
