import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { attestationProvider, type AttestationProvider } from '../../test/attestation-provider.ts';
import { sessionUnderTest } from '../../test/session-under-test.ts';
import { maaClient } from './maa-client.ts';

async function start(
  t: TestContext,
  parts: {
    readonly bits?: number;
    readonly more?: string;
    readonly certificate?: string;
    readonly allowed?: string;
  } = {},
): Promise<{
  provider: AttestationProvider;
  outcome: () => Promise<string>;
  /** Replaces the session by one that admits nothing. */
  update: () => Promise<unknown>;
}> {
  const provider = await attestationProvider(t, parts.bits);
  const { write, outcome } = await sessionUnderTest(t, {
    maaTokens: maaClient([parts.allowed ?? provider.url], provider.request),
  });
  const certificates = JSON.stringify([parts.certificate ?? provider.certificate]);
  const predecessor = await write({
    name: 's',
    more: `security: {attestation: {mode: maa, url: "${provider.url}/", certificates: ${certificates}, tolerate: [maa-managed-tcb]${parts.more ?? ''}}}\n`,
  });
  return {
    provider,
    outcome: () => outcome('s'),
    update: () =>
      write({ name: 's', predecessor, service: `    attestation: {mrenclave: ${'ee'.repeat(32)}}\n` }),
  };
}

void test('mode maa: a token of the provider about this very quote beside it', async (t) => {
  const { provider, outcome } = await start(t);
  assert.equal(await outcome(), 'configured');
  assert.deepEqual(provider.asked, ['/attest/SgxEnclave?api-version=2022-08-01']);
});

void test('a token that says anything else, is of another issuer, or not valid now, is refused', async (t) => {
  const { provider, outcome } = await start(t);
  const cases: readonly [AttestationProvider['answer'], RegExp][] = [
    [
      { claims: { 'x-ms-sgx-mrenclave': 'ee'.repeat(32) } },
      /x-ms-sgx-mrenclave [0-9a-f]{64} expected, e{64} found/,
    ],
    [{ claims: { 'x-ms-sgx-mrsigner': 'ee'.repeat(32) } }, /x-ms-sgx-mrsigner/],
    [{ claims: { 'x-ms-sgx-svn': 9 } }, /x-ms-sgx-svn 3 expected, 9 found/],
    [{ claims: { 'x-ms-sgx-product-id': 9 } }, /x-ms-sgx-product-id/],
    [{ claims: { 'x-ms-sgx-is-debuggable': true } }, /x-ms-sgx-is-debuggable false expected/],
    [{ claims: { 'x-ms-sgx-report-data': '00'.repeat(64) } }, /x-ms-sgx-report-data/],
    [{ claims: { 'x-ms-sgx-report-data': undefined } }, /a token about an SGX enclave expected/],
    [{ claims: { 'x-ms-attestation-type': 'tdxvm' } }, /a token about an SGX enclave expected/],
    [{ issuer: 'https://another.test' }, /a valid token of https:\/\/provider\.test/],
    [{ expires: '-1m' }, /a valid token/],
    [{ token: 'eyJhbGciOiJub25lIn0.e30.' }, /a valid token/],
    [{ token: 'x' }, /a valid token/],
  ];
  for (const [answer, expected] of cases) {
    provider.answer = answer;
    const found = await outcome();
    assert.match(found, /^CAS_SERVICE_REFUSED: attestation provider/, JSON.stringify(answer));
    assert.match(found, expected);
  }
  provider.answer = { status: 400 };
  assert.match(
    await outcome(),
    /^CAS_EVIDENCE_UNDECIDED: mode maa: a token .* status 200 expected, 400 found/,
  );
});

void test('only keys of the session’s certificates count, and short ones not', async (t) => {
  const stranger = await attestationProvider(t);
  const other = await start(t, { certificate: stranger.certificate });
  assert.match(await other.outcome(), /a valid token/);
  const short = await start(t, { more: ', min_rsa_signing_key_size: 3072' });
  assert.match(await short.outcome(), /an RSA key of at least 3072 bits expected/);
});

void test('a provider that whoever started CAS did not list is not asked', async (t) => {
  const { provider, outcome } = await start(t, { allowed: 'https://allowed.test' });
  assert.match(await outcome(), /^CAS_SERVICE_UNSUPPORTED: mode maa: one of the attestation providers/);
  assert.deepEqual(provider.asked, []);
});

void test('a session that is updated while its provider is asked gives nothing of the version before', async (t) => {
  const { provider, outcome, update } = await start(t);
  provider.before = update;
  assert.match(await outcome(), /^CAS_BUSY: session 's': .* it was updated meanwhile/);
});
