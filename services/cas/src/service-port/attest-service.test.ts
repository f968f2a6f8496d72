import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import * as v from 'valibot';
import { postSession } from '@ensconce/api/client';
import { attestAnswer, type AttestAnswer } from '@ensconce/wire/attestation';
import { casUnderTest, clientKeys, type CasUnderTest } from '../../test/cas-under-test.ts';
import {
  attestFrame,
  attestOnce,
  imageFor,
  measure,
  openService,
  type AttestOptions,
} from '../../test/service-under-test.ts';
import { sessionText } from '../../test/session-text.ts';
import { evidenceVerifier } from '../evidence/verifier.ts';

type Start = CasUnderTest & { readonly options: AttestOptions };

/** A CAS with a session `team-app` for the image, and what the genuine service sends. */
async function start(t: TestContext, parts: Partial<Parameters<typeof sessionText>[0]> = {}): Promise<Start> {
  const started = await casUnderTest(t);
  const image = imageFor(started.cas);
  const client = await started.connect(await clientKeys());
  await postSession(client, sessionText({ name: 'team-app', mrenclave: measure(image), ...parts }));
  return {
    ...started,
    options: { vendor: started.vendor, cas: started.cas, configId: 'team-app/app', image },
  };
}

const auditLog = (folder: string): string => readFileSync(join(folder, 'state', 'audit.jsonl'), 'utf8');

function refusal(answer: AttestAnswer): string {
  assert.equal(answer.type, 'refused');
  return answer.type === 'refused' ? `${answer.code}: ${answer.msg.join(': ')}` : '';
}

void test('an attested service gets its configuration, and the audit log knows it first', async (t) => {
  const { options, folder } = await start(t);
  const { answer, connection } = await attestOnce(options);
  assert.equal(answer.type, 'configured');
  if (answer.type !== 'configured') return;
  const { configuration } = answer;
  assert.equal(answer.simulated, true);
  assert.deepEqual(configuration.command, ['python3', '/app/main.py', 'a b']);
  assert.match(configuration.environment['TOKEN'] ?? '', /^.{32}$/);
  assert.equal(configuration.user, '1000:1000');
  assert.equal(configuration.pwd, '/app');
  assert.deepEqual(configuration.hostFiles, ['/etc/resolv.conf']);
  assert.ok(configuration.capabilities.includes('CAP_CHOWN'));
  assert.equal(Buffer.from(configuration.layers[0]?.key ?? '', 'base64').length, 32);
  const [file] = configuration.injectionFiles;
  assert.equal(file?.mode, 0o400);
  assert.equal(Buffer.from(file?.content ?? '', 'base64').toString(), 'password=pass word');
  assert.match(auditLog(folder), /"Service attested"/);
  connection.frames.send({ type: 'started' });
  connection.frames.send({ type: 'exited', status: 3 });
  await assert.rejects(connection.frames.receive(5000), /closed the connection/);
  const log = auditLog(folder);
  assert.match(log, /"status":3,"type":"Service exited"/);
  for (const secret of [configuration.environment['TOKEN'] ?? '', 'pass word']) {
    assert.equal(log.includes(secret), false);
  }
});

void test('two starts of one service get the same secrets', async (t) => {
  const { options } = await start(t);
  const answers = await Promise.all([attestOnce(options), attestOnce(options)]);
  const [first, second] = answers.map(({ answer, connection }) => {
    connection.socket.destroy();
    return answer.type === 'configured' ? answer.configuration : undefined;
  });
  assert.deepEqual(first, second);
});

void test('a service whose connection ends without a report is noted as gone', async (t) => {
  const { options, folder, cas } = await start(t);
  const { connection } = await attestOnce(options);
  connection.socket.destroy();
  await cas.close();
  assert.match(auditLog(folder), /"status":null,"type":"Service exited"/);
});

void test('a quote in the name of another format is refused, and so is a table beside one', async (t) => {
  const { options, cas } = await start(t);
  for (const [change, expected] of [
    [{ format: 'tdx' }, /^CAS_EVIDENCE_REFUSED/],
    [{ format: 'snp' }, /^CAS_EVIDENCE_REFUSED/],
    [{ certificates: 'AAAA' }, /^CAS_SERVICE_UNSUPPORTED: evidence: .* found$/],
  ] as const) {
    const connection = await openService(cas);
    connection.frames.send({ ...attestFrame(connection, options), ...change });
    const answer = v.parse(attestAnswer, await connection.frames.receive(5000));
    assert.match(refusal(answer), expected);
    connection.socket.destroy();
  }
});

void test('wrong evidence is refused, each with its reason', async (t) => {
  const { options, cas } = await start(t);
  const other = imageFor(cas, ['3'.repeat(64)]);
  const foreign = { ...options.image, cas: { identity: '0'.repeat(64), simulated: true } };
  const cases: [string, Partial<AttestOptions>, RegExp][] = [
    [
      'a program that the policy does not list',
      { image: other },
      new RegExp(
        `^CAS_SERVICE_REFUSED: The program enclave is not trustworthy: Unexpected enclave measurement \\(MRENCLAVE, ${measure(other)}\\) - Expected ${measure(options.image)}`,
      ),
    ],
    [
      'a description that is not what was measured',
      { wrong: { mrenclave: 'ee'.repeat(32) } },
      /^CAS_SERVICE_REFUSED: .*Unexpected enclave measurement/,
    ],
    ['an image that obeys another CAS', { image: foreign }, /^CAS_SERVICE_REFUSED: .*it obeys the CAS 0{64}/],
    ['a debug enclave', { wrong: { debug: true } }, /^CAS_SERVICE_REFUSED: .*debug/],
    [
      'a quote with a flipped bit',
      { wrong: { evidence: (quote) => Uint8Array.from(quote, (byte, i) => (i === 112 ? byte ^ 1 : byte)) } },
      /^CAS_EVIDENCE_REFUSED: DCAP quote verification failed: /,
    ],
    [
      'no quote',
      { wrong: { evidence: () => randomBytes(64) } },
      /^CAS_EVIDENCE_REFUSED: DCAP quote verification failed/,
    ],
    ['an unknown service of a known session', { configId: 'team-app/other' }, /^CAS_SERVICE_REFUSED/],
    ['an unknown session', { configId: 'nobody/app' }, /^CAS_SERVICE_REFUSED/],
    ['no config id', { configId: 'no-slash' }, /^CAS_PROTOCOL: config id/],
  ];
  for (const [what, change, expected] of cases) {
    const { answer } = await attestOnce({ ...options, ...change });
    assert.match(refusal(answer), expected, what);
  }
});

void test('evidence that is not of this exchange is refused', async (t) => {
  const { options, cas } = await start(t);
  const stranger = randomBytes(32);
  const cases: [string, NonNullable<AttestOptions['wrong']>['reportData']][] = [
    ['another connection', { exporter: stranger }],
    ['another key', { publicKey: stranger }],
    ['another challenge', { nonce: stranger }],
    ['another service', { configId: 'team-app/other' }],
    ['another CAS', { casIdentity: stranger }],
    ['the other role', { role: 'cas-to-client' }],
  ];
  for (const [what, reportData] of cases) {
    const { answer } = await attestOnce({
      ...options,
      wrong: reportData === undefined ? {} : { reportData },
    });
    assert.match(refusal(answer), /^CAS_BINDING_MISMATCH/, what);
  }
  // A relay holds an honest service's connection open and passes what it sends on over its own.
  const honest = await openService(cas);
  const relay = await openService(cas);
  relay.frames.send(attestFrame(honest, options) as never);
  assert.match(refusal(v.parse(attestAnswer, await relay.frames.receive(5000))), /^CAS_BINDING_MISMATCH/);
  honest.socket.destroy();
});

void test('until the evidence has held, a session that exists and one that does not look the same', async (t) => {
  const { options } = await start(t);
  const wrongs: NonNullable<AttestOptions['wrong']>[] = [
    { evidence: () => new Uint8Array(10) },
    { reportData: { exporter: new Uint8Array(32) } },
    { mrenclave: 'ee'.repeat(32) },
  ];
  for (const wrong of wrongs) {
    const known = await attestOnce({ ...options, wrong });
    const unknown = await attestOnce({ ...options, configId: 'nobody/app', wrong });
    const [first, second] = [known.answer, unknown.answer];
    assert.ok(first.type === 'refused' && second.type === 'refused');
    // The id is random for each.
    assert.deepEqual({ ...first, requestId: '' }, { ...second, requestId: '' });
  }
});

void test('simulated evidence is refused by a policy that does not accept it', async (t) => {
  const { options } = await start(t, { acceptSimulation: false });
  const { answer } = await attestOnce(options);
  assert.match(refusal(answer), /^CAS_SERVICE_REFUSED: .*SIMULATED/);
});

void test('simulated evidence is refused by a CAS that was not started so', async (t) => {
  const { cas, vendor, connect } = await casUnderTest(t, { verifier: evidenceVerifier({}) });
  const image = imageFor(cas);
  await postSession(await connect(await clientKeys()), sessionText({ name: 's', mrenclave: measure(image) }));
  const { answer } = await attestOnce({ cas, vendor, image, configId: 's/app' });
  assert.match(refusal(answer), /^CAS_EVIDENCE_(?:REFUSED|UNDECIDED): DCAP quote verification/);
});

void test('layers of another build are refused, though their measurement is listed', async (t) => {
  const { options } = await start(t, { layers: ['4'.repeat(64)] });
  const { answer } = await attestOnce(options);
  assert.match(refusal(answer), /sealed layers that were measured expected/);
});

void test('a peer that does not speak the protocol loses its connection, and CAS goes on', async (t) => {
  const { options, cas } = await start(t);
  const garbage = await openService(cas);
  garbage.socket.write(Buffer.from([0xff, 0xff, 0xff, 0xff, 0]));
  await assert.rejects(async () => {
    for (;;) await garbage.frames.receive(5000);
  });
  const wrongType = await openService(cas);
  wrongType.frames.send({ type: 'configured' });
  assert.match(refusal(v.parse(attestAnswer, await wrongType.frames.receive(5000))), /^CAS_PROTOCOL/);
  const { answer, connection } = await attestOnce(options);
  assert.equal(answer.type, 'configured');
  connection.socket.destroy();
});
