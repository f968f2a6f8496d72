import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { guestConfigId, imageRegister } from '@ensconce/measurement/guest';
import { openSimulatedVendor } from '@ensconce/simulation/vendor';
import { encodeIntelBundle } from '@ensconce/verify/intel/collateral';
import { runVerify, type VerifyOptions } from './command.ts';
import { EvidenceReportError } from './errors.ts';
import type { VerificationReport } from './verify.ts';

const now = new Date('2026-11-22T12:00:00Z');
const folder = mkdtempSync(join(tmpdir(), 'ensconce-policy-'));
after(() => rmSync(folder, { recursive: true }));
const path = (name: string): string => join(folder, name);
const vendor = await openSimulatedVendor({ folder: path('vendor'), now: () => now });
writeFileSync(path('root.pem'), vendor.rootPem);
writeFileSync(path('bundle.json'), encodeIntelBundle(await vendor.collateral()));
const enclave = {
  mrenclave: new Uint8Array(32).fill(1),
  mrsigner: new Uint8Array(32).fill(2),
  isvprodid: 7,
  isvsvn: 3,
  reportData: new Uint8Array(64),
};
writeFileSync(path('sgx'), vendor.makeSgxQuote(enclave));
writeFileSync(path('debug'), vendor.makeSgxQuote({ ...enclave, debug: true }));

/** The decision, or the first failed check. */
async function judge(session: string, change: Partial<VerifyOptions> = {}): Promise<string> {
  writeFileSync(path('session.yml'), session);
  const { stdout, exitCode } = await runVerify(
    {
      file: path('sgx'),
      collateral: [path('bundle.json')],
      policy: path('session.yml'),
      json: true,
      allowTrailing: false,
      insecureSimulatedRoot: [path('root.pem')],
      cache: path('cache'),
      ...change,
    },
    now,
  );
  const { verdict, checks, notes } = JSON.parse(stdout) as VerificationReport;
  assert.equal(exitCode, verdict === 'accepted' ? 0 : 10);
  const failed = checks.find(({ ok }) => !ok);
  return [verdict, failed?.name, ...notes.filter((note) => /not resolved|debug-mode/.test(note))]
    .filter((part) => part !== undefined)
    .join('; ');
}

const head = 'name: s\nversion: "0.3.12"\nensconce: {accept_simulation: true}\n';
const [one, two] = ['01'.repeat(32), '02'.repeat(32)];
const app = (attestation: string, more = ''): string =>
  `${head}services: [{name: app, command: run, attestation: ${attestation}}]\n${more}`;

void test('a session is a policy: its attestation as CAS holds evidence against it', async () => {
  assert.equal(await judge(app(`{mrenclave: ${one}}`)), 'accepted');
  assert.equal(await judge(app(`{mrenclave: ${two}}`)), 'not-accepted; code is accepted');
  assert.equal(await judge(app(`{mrenclave: ${one}, signer: {mrsigner: ${two}, isvsvn: 3}}`)), 'accepted');
  assert.equal(
    await judge(app(`{mrenclave: ${one}, signer: {mrsigner: ${two}, isvsvn: 4}}`)),
    'not-accepted; code is accepted',
  );
  assert.equal(
    await judge(app(`{mrenclave: ${one}}`).replace('true}', 'false}')),
    'not-accepted; hardware is real',
  );
  assert.equal(
    await judge(app(`{mrenclave: ${one}}`).replace('true}', 'true, minimum_tcb_date: 2999-01-01}')),
    'not-accepted; TCB level is recent enough',
  );
  assert.equal(
    await judge(app(`{mrenclave: ${one}}`, 'security: {attestation: {must_be_sgx_local: true}}\n')),
    'not-accepted; platform is accepted',
  );
});

void test('variables are replaced, and fragments of the session itself count; others are satisfied by nothing', async () => {
  const variables = { M: one };
  assert.equal(await judge(app('{mrenclave: $M}'), { variables }), 'accepted');
  assert.equal(
    await judge(
      app('$$SCONE::f$$', `secrets: [{name: f, kind: config-fragment, value: {mrenclave: ${one}}}]\n`),
    ),
    'accepted',
  );
  assert.equal(
    await judge(app('$$SCONE::f$$', 'secrets: [{name: f, import: {session: t, secret: f}}]\n')),
    'not-accepted; code is accepted; not resolved without CAS, so satisfied by nothing: $$SCONE::f$$: no value',
  );
});

void test('what CAS accepts only with a permission is said', async () => {
  const loose = app(`{mrenclave: ${one}}`, 'security: {attestation: {tolerate: [debug-mode]}}\n');
  assert.match(
    await judge(loose, { file: path('debug') }),
    /^accepted; debug-mode is tolerated here; a CAS does so only/,
  );
});

void test('of several services one is named', async () => {
  const session = `${head}services:\n- {name: a, mrenclaves: [${one}]}\n- {name: b, mrenclaves: [${two}]}\n`;
  assert.equal(await judge(session, { service: 'a' }), 'accepted');
  assert.equal(await judge(session, { service: 'b' }), 'not-accepted; code is accepted');
  await assert.rejects(judge(session), /a service of the session expected \(a, b\), none named found/);
  await assert.rejects(judge(session, { service: 'c' }), /c found/);
});

void test('a guest is judged for the CAS that it was launched for', async () => {
  const [casIdentity, measurement] = ['ca'.repeat(32), 'ab'.repeat(32)];
  const register = (byte: number): Uint8Array => new Uint8Array(48).fill(byte);
  writeFileSync(
    path('tdx'),
    vendor.makeTdxQuote({
      reportData: new Uint8Array(64),
      mrtd: register(1),
      rtmrs: [register(2), register(3), register(4), Uint8Array.fromHex(imageRegister(measurement))],
      mrconfigid: Uint8Array.fromHex(guestConfigId({ casIdentity, configId: 's/app', measurement })),
    }),
  );
  writeFileSync(path('tdx.json'), encodeIntelBundle(await vendor.collateral('tdx')));
  const pins = ['mrtd', 'rtmr0', 'rtmr1', 'rtmr2'].map(
    (name, index) => `${name}: ${`0${index + 1}`.repeat(48)}`,
  );
  const session = `${head}services: [{name: app, command: run, ensconce: {tdx: {${pins.join(', ')}, image: [${two}, ${measurement}]}}}]\n`;
  const tdx = { file: path('tdx'), collateral: [path('tdx.json')] };
  assert.equal(await judge(session, { ...tdx, casIdentity: casIdentity.toUpperCase() }), 'accepted');
  assert.equal(await judge(session, { ...tdx, casIdentity: two }), 'not-accepted; code is accepted');
  await assert.rejects(judge(session, tdx), /the identity of CAS expected: service app names guests/);
  await assert.rejects(judge(session, { ...tdx, casIdentity: 'ca' }), /64 hexadecimal digits expected/);
});

void test('what is no policy is wrong usage', async () => {
  for (const [session, change, expected] of [
    [app('{}'), {}, /a policy for evidence, or a session, expected/],
    [`${head}servces: []\n`, {}, /a policy for evidence/],
    [app(`{mrenclave: $M}`), {}, /a policy for evidence/],
    [
      app(`{mrenclave: ${one}}`, 'security: {attestation: {mode: none}}\n'),
      {},
      /mode none found: CAS gives app to anybody/,
    ],
    ['acceptSimulation: true\n', { service: 'app' }, /a session expected beside --service/],
    ['- a\n', {}, /a policy for evidence/],
  ] as const) {
    await assert.rejects(
      judge(session, change),
      (error) =>
        error instanceof EvidenceReportError &&
        error.code === 'EVIDENCE_POLICY_FILE' &&
        expected.test(error.message),
      session,
    );
  }
});
