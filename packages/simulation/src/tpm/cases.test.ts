import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concatBytes, utf8 } from '@ensconce/base/bytes';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { appraise } from '@ensconce/verify/appraisal';
import { verifyTpmEvidence } from '@ensconce/verify/tpm/verify';
import type { AppraisalPolicy } from '@ensconce/verify/policy';
import type { Verdict } from '@ensconce/verify/verdict';
import { makeTpm, makeTpmAuthority } from './authority.ts';
import { makeTpmEvidence, type TpmFaults } from './quote.ts';
import { encodeEventLog, extendRegisters, startupLocality, type Measured } from './event-log.ts';
import type { TpmQuoteFields } from './body.ts';

const at = new Date('2026-11-22T12:00:00Z');
const authority = await makeTpmAuthority(at);
const tpm = await makeTpm(authority, at);
const other = await makeTpm(authority, at);
const events: Measured[] = [
  startupLocality(3),
  { index: 0, type: 8, data: utf8('firmware') },
  { index: 4, type: 0x8000_0003, data: utf8('boot loader') },
  { index: 4, type: 0x8000_0003, data: utf8('kernel') },
  { index: 7, type: 0x8000_0001, data: utf8('secure boot') },
];
const hashes = ['sha1', 'sha256', 'sha384'] as const;
const fields: TpmQuoteFields & { readonly eventLog: Uint8Array } = {
  nonce: new Uint8Array(32).fill(7),
  pcrs: extendRegisters(events, 'sha256', 24, 3),
  eventLog: encodeEventLog(events, hashes, 512),
};
const options = { crypto: nodeCrypto, at, insecureSimulatedRoots: [authority.root.certificate] };

const judge = (faults: TpmFaults, change: Partial<typeof fields> = {}, by = tpm): Promise<Verdict> =>
  verifyTpmEvidence(makeTpmEvidence(by, { ...fields, ...change }, faults), options);

void test('quotes of RSA and P-256 keys are genuine under the root of their vendor, and the log explains the PCRs', async () => {
  for (const kind of ['rsa', 'ecc'] as const) {
    const verdict = await judge({}, {}, await makeTpm(authority, at, kind));
    assert.deepEqual(verdict.failures, []);
    assert.ok(verdict.claims?.tee === 'tpm');
    assert.equal(verdict.claims.reportData, '07'.repeat(32));
    assert.equal(verdict.claims.bank, 'sha256');
    assert.deepEqual(verdict.claims.loggedPcrs, [0, 4, 7]);
    assert.equal(verdict.simulated, true);
  }
  const given = await verifyTpmEvidence(makeTpmEvidence(tpm, fields), {
    crypto: nodeCrypto,
    at,
    tpmRoots: [authority.root.certificate],
  });
  assert.equal(given.outcome, 'genuine');
  assert.equal(given.simulated, false);
  const some = await judge({}, { selection: [0, 4, 7] });
  assert.deepEqual(some.failures, []);
  assert.ok(some.claims?.tee === 'tpm');
  assert.deepEqual(Object.keys(some.claims.pcrs), ['0', '4', '7']);
});

void test('each fault is not genuine', async () => {
  const otherPcrs = fields.pcrs.toReversed();
  const otherLog = encodeEventLog(events.slice(0, 3), hashes);
  const withoutLocality = encodeEventLog(events.slice(1), hashes);
  const faults: TpmFaults[] = [
    { wrongSignature: true },
    { otherPcrs },
    { otherPcrs: fields.pcrs.slice(0, 5) },
    { certificatesOf: other },
    { otherLog },
    { otherLog: withoutLocality },
    { otherLog: utf8('no log') },
  ];
  for (const fault of faults)
    assert.equal((await judge(fault)).outcome, 'not-genuine', JSON.stringify(Object.keys(fault)));
});

void test('the value of one PCR does not pass for that of another', async () => {
  const { pcrs } = fields;
  const none = new Uint8Array();
  // All of them in a row are what was signed: moved by where one ends and the next begins, a register that anybody may extend stands for the boot loader's.
  const moved = [concatBytes(...pcrs.slice(0, 16)), none, none, none, ...pcrs.slice(16)];
  const filled = [...moved, ...Array.from({ length: 24 - moved.length }, () => none)];
  const shifted = [
    (pcrs[0] as Uint8Array).subarray(1),
    concatBytes((pcrs[0] as Uint8Array).subarray(0, 1), pcrs[1] as Uint8Array),
  ];
  for (const otherPcrs of [filled, [...shifted, ...pcrs.slice(2)]]) {
    const verdict = await judge({ otherPcrs });
    assert.equal(verdict.outcome, 'not-genuine');
    assert.equal(
      verdict.failures.some((check) => check.name === 'PCR values are as long as those of their bank'),
      true,
    );
  }
});

void test('a quote is refused that is no quote, is of more banks than one, or is signed with what is too weak or not known', async () => {
  const evidence = JSON.parse(new TextDecoder().decode(makeTpmEvidence(tpm, fields))) as {
    tpm_quote: { message: string; signature: string };
  };
  const { message, signature } = evidence.tpm_quote;
  const changed = (base64: string, at: number, ...bytes: number[]): string => {
    const copy = Uint8Array.fromBase64(base64);
    copy.set(bytes, at);
    return copy.toBase64();
  };
  const rows: [string, { message?: string; signature?: string }][] = [
    ['another magic', { message: changed(message, 0, 0xfe) }],
    ['a certification, no quote', { message: changed(message, 4, 0x80, 0x17) }],
    ['RSAPSS', { signature: changed(signature, 0, 0, 0x16) }],
    ['SHA-1', { signature: changed(signature, 2, 0, 4) }],
    ['an unknown hash', { signature: changed(signature, 2, 0, 0x12) }],
  ];
  for (const [name, change] of rows) {
    const bytes = utf8(JSON.stringify({ ...evidence, tpm_quote: { ...evidence.tpm_quote, ...change } }));
    assert.equal((await verifyTpmEvidence(bytes, options)).outcome, 'not-genuine', name);
  }
  assert.equal((await judge({}, { banks: ['sha256', 'sha384'] })).outcome, 'not-genuine');
});

void test('a key that nobody vouches for is undetermined, for there is no root that all TPMs share', async () => {
  assert.equal((await judge({ withoutCertificates: true })).outcome, 'undetermined');
  const verdict = await verifyTpmEvidence(makeTpmEvidence(tpm, fields), { crypto: nodeCrypto, at });
  assert.equal(verdict.outcome, 'undetermined');
  assert.match(verdict.failures[0]?.hint ?? '', /root certificate/);
  const late = new Date('2040-01-01');
  const expired = await verifyTpmEvidence(makeTpmEvidence(tpm, fields), { ...options, at: late });
  assert.equal(expired.outcome, 'undetermined');
});

void test('a policy must name a PCR', async () => {
  const policy = (pcrs: Record<string, string>): AppraisalPolicy => ({
    acceptSimulation: true,
    tolerate: [],
    ignoreAdvisories: [],
    tpm: [{ pcrs }],
    reportData: fields.nonce,
  });
  const verdict = await judge({});
  const value = (fields.pcrs[4] as Uint8Array).toHex();
  assert.equal(appraise(verdict, policy({ 4: value })).decision, 'accepted');
  assert.equal(appraise(verdict, policy({ 4: '00'.repeat(32) })).decision, 'not-accepted');
  assert.equal(appraise(verdict, policy({})).decision, 'not-accepted');
});

void test('every flipped bit of message, signature and log is refused', async () => {
  const evidence = JSON.parse(new TextDecoder().decode(makeTpmEvidence(tpm, fields))) as {
    tpm_quote: { message: string; signature: string };
    event_log: string;
  };
  const end = encodeEventLog(events, hashes).length;
  const flipped = async (text: string, put: (changed: string) => object, limit?: number): Promise<void> => {
    const bytes = Uint8Array.fromBase64(text);
    for (let i = 0; i < (limit ?? bytes.length); i++) {
      const changed = Uint8Array.from(bytes)
        .with(i, (bytes[i] as number) ^ 1)
        .toBase64();
      const verdict = await verifyTpmEvidence(
        utf8(JSON.stringify({ ...evidence, ...put(changed) })),
        options,
      );
      // The text of events is only as good as its digests, and other banks than the quoted one say nothing.
      if (limit === undefined) assert.equal(verdict.outcome, 'not-genuine', `byte ${i}`);
      else assert.notEqual(verdict.outcome, 'undetermined', `byte ${i}`);
    }
  };
  const { tpm_quote: quote } = evidence;
  await flipped(quote.message, (message) => ({ tpm_quote: { ...quote, message } }));
  await flipped(quote.signature, (signature) => ({ tpm_quote: { ...quote, signature } }));
  await flipped(evidence.event_log, (log) => ({ event_log: log }), end);
});
