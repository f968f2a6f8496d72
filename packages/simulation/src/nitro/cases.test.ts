import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { VerificationCache } from '@ensconce/verify/cache';
import { appraise } from '@ensconce/verify/appraisal';
import { verifyNitroDocument } from '@ensconce/verify/nitro/verify';
import type { AppraisalPolicy } from '@ensconce/verify/policy';
import type { Verdict } from '@ensconce/verify/verdict';
import { checkFlips } from '../../test/flips.ts';
import { makeNitroAuthority } from './authority.ts';
import { makeNitroDocument, type DocumentFaults } from './quote.ts';
import type { NitroFields } from './body.ts';

const at = new Date('2026-11-22T12:00:00Z');
const authority = await makeNitroAuthority(at);
const stranger = await makeNitroAuthority(at);
const pcr = (byte: number): Uint8Array => new Uint8Array(48).fill(byte);
const fields: NitroFields = {
  timestamp: at,
  pcrs: { 0: pcr(1), 1: pcr(2), 2: pcr(3), 8: pcr(8) },
  userData: new Uint8Array(64).fill(7),
  nonce: new Uint8Array(16).fill(9),
};
const options = { crypto: nodeCrypto, at, insecureSimulatedRoots: [authority.root.certificate] };

async function judge(faults: DocumentFaults, change: Partial<NitroFields> = {}): Promise<Verdict> {
  return verifyNitroDocument(await makeNitroDocument(authority, { ...fields, ...change }, faults), options);
}

void test('a document is genuine, with or without its tag, and says what the enclave is', async () => {
  for (const tagged of [false, true]) {
    const verdict = await judge({ tagged });
    assert.deepEqual(verdict.failures, []);
    assert.equal(verdict.simulated, true);
    assert.equal(verdict.tcbStatus, null);
    assert.ok(verdict.claims?.tee === 'nitro');
    assert.equal(verdict.claims.pcrs['0'], '01'.repeat(48));
    assert.equal(verdict.claims.pcrs['3'], undefined);
    assert.equal(verdict.claims.reportData, '07'.repeat(64));
    assert.equal(verdict.claims.nonce, '09'.repeat(16));
    assert.equal(verdict.claims.debug, false);
  }
});

void test('each fault of a document is not genuine', async () => {
  const faults: DocumentFaults[] = [
    { wrongSignature: true },
    { bundleOf: stranger },
    { gap: true },
    { algorithm: -7 },
    { padding: 1 },
    { cut: 1 },
    { members: { digest: 'SHA256' } },
    { members: { pcrs: new Map([[0, new Uint8Array(47)]]) } },
    { members: { pcrs: new Map() } },
    { members: { module_id: '' } },
    { members: { timestamp: 0 } },
    { members: { cabundle: [] } },
    { members: { nonce: new Uint8Array(1025) } },
    { members: { certificate: authority.instance.certificate } },
  ];
  for (const fault of faults)
    assert.equal((await judge(fault)).outcome, 'not-genuine', JSON.stringify(Object.entries(fault)[0]));
});

void test('a simulated AWS is believed only by the option that says insecure', async () => {
  const document = await makeNitroDocument(authority, fields);
  for (const roots of [[], [stranger.root.certificate]]) {
    const verdict = await verifyNitroDocument(document, { ...options, insecureSimulatedRoots: roots });
    assert.equal(verdict.outcome, 'not-genuine');
  }
});

void test('three hours later, and before it was made, nothing is known of a document', async () => {
  const document = await makeNitroDocument(authority, fields);
  for (const time of [at.getTime() + 3 * 3_600_000 + 1, at.getTime() - 60_000]) {
    const verdict = await verifyNitroDocument(document, { ...options, at: new Date(time) });
    assert.equal(verdict.outcome, 'undetermined');
    assert.equal(verdict.claims, null);
  }
});

void test('a policy names image, kernel and application, and debug mode is refused', async () => {
  const policy = (pcrs: Partial<Record<'pcr0' | 'pcr1' | 'pcr2' | 'pcr8', string>>): AppraisalPolicy => ({
    acceptSimulation: true,
    tolerate: [],
    ignoreAdvisories: [],
    nitro: [{ pcr0: '01'.repeat(48), pcr1: '02'.repeat(48), pcr2: '03'.repeat(48), ...pcrs }],
    reportData: fields.userData ?? new Uint8Array(),
  });
  const verdict = await judge({});
  assert.deepEqual(appraise(verdict, policy({ pcr8: '08'.repeat(48) })).failures, []);
  for (const name of ['pcr0', 'pcr1', 'pcr2', 'pcr8'] as const)
    assert.equal(appraise(verdict, policy({ [name]: 'ff'.repeat(48) })).decision, 'not-accepted');
  const debug = await judge({}, { debug: true });
  assert.equal(debug.claims?.debug, true);
  assert.equal(appraise(debug, { ...policy({}), nitro: 'not-checked' }).decision, 'not-accepted');
});

void test('every flipped byte of a document is refused, or is one that nobody signs', async () => {
  const document = await makeNitroDocument(authority, fields);
  // The unprotected header is an empty map: its one byte.
  const cache = new VerificationCache();
  const unsigned = await checkFlips(document, (bytes) => verifyNitroDocument(bytes, { ...options, cache }));
  assert.ok(unsigned <= 1, `${unsigned} bytes`);
});
