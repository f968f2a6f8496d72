import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { oneTimePassword } from '@ensconce/secrets/one-time-password';
import { fromBase32 } from '@ensconce/secrets/base32';
import { clientKeys, testFolder } from '../../test/cas-under-test.ts';
import { sessionUnderTest } from '../../test/session-under-test.ts';

const secret = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP';
const attestation = (keys: string): string => `security: {attestation: {${keys}}}\n`;
const shared = attestation(`one_time_password_shared_secret: ${secret}`);

/** A clock that stands until it is moved, and the code of its time step. */
function clock(): {
  now: () => Date;
  move: (seconds: number) => void;
  code: (of?: string, back?: number) => string;
} {
  let time = Date.now();
  return {
    now: () => new Date(time),
    move: (seconds) => (time += seconds * 1000),
    code: (of = secret, back = 0) => oneTimePassword(fromBase32(of), Math.floor(time / 30_000) - back),
  };
}

void test('a one-time password lets one start in, and is told apart when it is missing, wrong or used', async (t) => {
  const { now, move, code } = clock();
  const { write, outcome, folder } = await sessionUnderTest(t, { now });
  await write({ name: 's', more: shared });
  assert.match(await outcome('s'), /^CAS_SERVICE_REFUSED: .*a one-time password expected, none found/);
  const wrong = code() === '000000' ? '000001' : '000000';
  assert.match(await outcome(`s@${wrong}`), /One-time Password is invalid/);
  assert.equal(await outcome(`s@${code()}`), 'configured');
  assert.match(await outcome(`s@${code()}`), /already used within this time-step/);
  move(30);
  assert.equal(await outcome(`s@${code()}`), 'configured');
  const log = readFileSync(join(folder, 'state', 'audit.jsonl'), 'utf8');
  assert.equal(log.includes(secret), false);
  assert.match(log, /"configId":"s\/app"/);
  assert.doesNotMatch(log, /app@/, 'a code that was refused may still be good');
});

void test('of two starts at once with one code, one is let in', async (t) => {
  const { now, code } = clock();
  const { write, outcome } = await sessionUnderTest(t, { now });
  await write({ name: 's', more: shared });
  const outcomes = await Promise.all(Array.from({ length: 5 }, () => outcome(`s@${code()}`)));
  assert.equal(outcomes.filter((one) => one === 'configured').length, 1);
});

void test('neither a restart, nor an update, nor another session makes a code good again', async (t) => {
  const { now, move, code } = clock();
  const folder = testFolder(t);
  const first = await sessionUnderTest(t, { now, folder });
  const hash = await first.write({ name: 's', more: shared });
  const used = code();
  assert.equal(await first.outcome(`s@${used}`), 'configured');
  const updated = await first.write({ name: 's', predecessor: hash });
  await first.write({
    name: 's',
    predecessor: updated,
    service: `    attestation: {mrenclave: ${first.measurement}}\n    one_time_password_shared_secret: ${secret.toLowerCase()}\n`,
  });
  assert.match(await first.outcome(`s@${used}`), /already used/);
  await first.write({ name: 'other', more: shared });
  assert.match(await first.outcome(`other@${used}`), /already used/);
  await first.cas.close();
  move(30);
  const second = await sessionUnderTest(t, { now, folder });
  assert.match(await second.outcome(`s@${used}`), /already used/, 'the step before is good, but was used');
  assert.equal(await second.outcome(`s@${code()}`), 'configured');
  assert.match(
    await second.outcome(`s@${code(secret, 1)}`),
    /already used/,
    'nor an older one after a newer',
  );
});

void test('deletion and return of a session make no code good again, and guesses stay counted', async (t) => {
  const { now, move, code } = clock();
  const { write, remove, outcome } = await sessionUnderTest(t, { now });
  const hash = await write({ name: 's', more: shared });
  const used = code();
  assert.equal(await outcome(`s@${used}`), 'configured');
  const wrong = ['000000', '000001', '000002', '000003', '000004', '000005'].filter(
    (one) => ![code(), code(secret, 1), code(secret, -1)].includes(one),
  );
  for (const one of wrong.slice(0, 3)) assert.match(await outcome(`s@${one}`), /is invalid/);
  const tombstone = await remove('s', hash);
  assert.match(await outcome(`s@${used}`), /it does not exist, or its session does not admit this program/);
  await write({ name: 's', predecessor: tombstone, more: shared });
  assert.match(await outcome(`s@${wrong[3]}`), /Too many invalid/);
  move(30);
  assert.match(await outcome(`s@${used}`), /already used/, 'the step before is good, but was used');
});

void test('codes cannot be guessed: three wrong ones within a time step, and no more are looked at', async (t) => {
  const { now, move, code } = clock();
  const { write, outcome } = await sessionUnderTest(t, { now });
  await write({ name: 's', more: shared });
  const wrong = ['000000', '000001', '000002', '000003', '000004'].filter(
    (one) => one !== code() && one !== code(secret, 1),
  );
  for (const one of wrong.slice(0, 3)) assert.match(await outcome(`s@${one}`), /invalid$/);
  assert.match(await outcome(`s@${code()}`), /Too many invalid/);
  move(30);
  assert.equal(await outcome(`s@${code()}`), 'configured');
});

void test('evidence that does not hold uses no code up', async (t) => {
  const { now, code } = clock();
  const { write, outcome } = await sessionUnderTest(t, { now });
  await write({ name: 's', more: shared });
  assert.match(await outcome(`s@${code()}`, { wrong: { debug: true } }), /debug/);
  assert.match(
    await outcome(`s@${code()}`, { wrong: { reportData: { nonce: new Uint8Array(32) } } }),
    /BINDING/,
  );
  assert.equal(await outcome(`s@${code()}`), 'configured');
});

void test('the secret of a service counts before that of the session, and may be a generated one', async (t) => {
  const { now, code } = clock();
  const { write, outcome, begin, measurement } = await sessionUnderTest(t, { now });
  const service = (key: string): string =>
    `    attestation: {mrenclave: ${measurement}}\n    one_time_password_shared_secret: ${key}\n`;
  const own = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';
  await write({ name: 's', service: service(own), more: shared });
  assert.match(await outcome(`s@${code()}`), /invalid$/);
  assert.equal(await outcome(`s@${code(own)}`), 'configured');
  await write({
    name: 'giver',
    service: `    attestation: {mrenclave: ${measurement}}\n    environment: {OTP: "$$SCONE::otp:base32$$"}\n`,
    secrets: '  - {name: otp, kind: binary, size: 20, export: {session: taker}}\n',
  });
  await write({
    name: 'taker',
    service: service('$$SCONE::otp:base32nopad$$'),
    secrets: '  - {name: otp, import: {session: giver, secret: otp}}\n',
  });
  const { answer, connection } = await begin('giver');
  connection.socket.destroy();
  const generated = answer.type === 'configured' ? (answer.configuration.environment['OTP'] ?? '') : '';
  assert.equal(await outcome(`taker@${code(generated)}`), 'configured');
});

void test('a secret that is too short or no base32 stops the start; a code that nobody asked for too', async (t) => {
  const { now, code } = clock();
  const { write, outcome } = await sessionUnderTest(t, { now });
  await write({
    name: 'short',
    secrets: '  - {name: otp, kind: ascii, value: "AAAA"}\n',
    more: attestation('one_time_password_shared_secret: $$SCONE::otp$$'),
  });
  assert.match(await outcome(`short@${code()}`), /at least 128 bits in base32 expected/);
  await write({
    name: 'missing',
    secrets: '  - {name: otp, import: {session: nobody, secret: otp}}\n',
    more: attestation('one_time_password_shared_secret: $$SCONE::otp$$'),
  });
  assert.match(await outcome(`missing@${code()}`), /^CAS_SERVICE_REFUSED/);
  await write({ name: 'none' });
  assert.match(await outcome(`none@${code()}`), /no one-time password expected by the session, one found/);
  assert.match(await outcome('none@12345'), /^CAS_PROTOCOL: config id/);
});

void test('a process that a code let in connects again without another, and nobody else does', async (t) => {
  const { now, code } = clock();
  const { write, outcome } = await sessionUnderTest(t, { now });
  await write({ name: 's', more: shared });
  const keys = await clientKeys('process');
  const id = `s@${code()}`;
  assert.match(await outcome(id, { keys, frame: { again: true }, configId: 's/app@000000' }), /invalid$/);
  assert.equal(await outcome(id, { keys }), 'configured');
  assert.equal(await outcome(id, { keys, frame: { again: true } }), 'configured');
  assert.match(await outcome(id, { keys }), /already used/);
  assert.match(await outcome(id, { frame: { again: true } }), /already used/);
});

void test('the access token counts both ways', async (t) => {
  const { write, outcome, folder } = await sessionUnderTest(t);
  const given = (serviceAccessToken: string) => ({ frame: { serviceAccessToken } });
  await write({ name: 's', more: 'security: {service_access_token: open sesame}\n' });
  await write({
    name: 'r',
    secrets: '  - {name: token, kind: ascii, value: open barley}\n',
    more: 'security: {service_access_token: $$SCONE::token$$}\n',
  });
  await write({ name: 'none' });
  assert.equal(await outcome('s', given('open sesame')), 'configured');
  assert.equal(await outcome('r', given('open barley')), 'configured');
  assert.equal(await outcome('none'), 'configured');
  for (const [session, options, expected] of [
    ['s', {}, /token of the session expected, none found/],
    ['s', given('open barley'), /token of the session expected, another found/],
    ['s', given(''), /another found/],
    ['r', given('$$SCONE::token$$'), /another found/],
    ['none', given('open sesame'), /no service access token expected by the session, one found/],
  ] as const) {
    const found = await outcome(session, options);
    assert.match(found, expected);
    assert.equal(/sesame|barley/.test(found), false);
  }
  assert.equal(/sesame|barley/.test(readFileSync(join(folder, 'state', 'audit.jsonl'), 'utf8')), false);
});
