import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { postSession } from '@ensconce/api/client';
import { casUnderTest, clientKeys, testFolder } from '../../test/cas-under-test.ts';
import { attestOnce, imageFor, measure, type AttestOptions } from '../../test/service-under-test.ts';
import { sessionText } from '../../test/session-text.ts';
import { Sessions } from '../sessions/sessions.ts';
import { openState } from '../state/state.ts';
import { insecureKeyFile } from '../store/key-sealer.ts';

type Parts = Partial<Parameters<typeof sessionText>[0]>;

interface Case {
  readonly what: string;
  readonly session?: Parts;
  readonly start?: Partial<AttestOptions>;
  readonly service?: string;
  readonly expected: RegExp;
}

const cases: readonly Case[] = [
  { what: 'the genuine service', expected: /^configured$/ },
  {
    what: 'a session of singletons',
    session: { security: '  singleton_enclaves: true' },
    expected: /^configured$/,
  },
  {
    what: 'a program that is not listed',
    session: { mrenclave: '3'.repeat(64) },
    expected: /Unexpected enclave measurement/,
  },
  {
    what: 'layers of another build',
    session: { layers: ['4'.repeat(64)] },
    expected: /sealed layers that were measured expected/,
  },
  {
    what: 'a description of another image',
    start: { wrong: { mrenclave: 'ee'.repeat(32) } },
    expected: /Unexpected enclave measurement/,
  },
  { what: 'a debug enclave', start: { wrong: { debug: true } }, expected: /debug/ },
  {
    what: 'another connection',
    start: { wrong: { reportData: { exporter: randomBytes(32) } } },
    expected: /^CAS_BINDING_MISMATCH/,
  },
  { what: 'no simulation', session: { acceptSimulation: false }, expected: /SIMULATED/ },
  {
    what: 'an access token nobody expects',
    start: { frame: { serviceAccessToken: 'token' } },
    expected: /no service access token expected/,
  },
  {
    what: 'a one-time password nobody expects',
    service: 'app@123456',
    expected: /no one-time password expected/,
  },
  { what: 'another service', service: 'other', expected: /does not exist/ },
  {
    what: 'a session for everybody',
    session: { security: '  attestation: {mode: none}' },
    expected: /^CAS_SERVICE_UNSUPPORTED.*attestation mode hardware expected/,
  },
  {
    what: 'a machine of CAS alone',
    session: { security: '  attestation: {must_be_sgx_local: true}' },
    expected: /./,
  },
];

void test('by the start record and by the session, starts are given the same and refused in the same words', async (t) => {
  const folder = testFolder(t);
  const first = await casUnderTest(t, { folder });
  const image = imageFor(first.cas);
  const client = await first.connect(await clientKeys());
  for (const [i, { session }] of cases.entries())
    await postSession(client, sessionText({ name: `s${i}`, mrenclave: measure(image), ...session }));
  await first.cas.close();
  await haveRecords(folder);

  const { cas, vendor } = await casUnderTest(t, { folder });
  const outcomes = [];
  for (const [i, { start, service }] of cases.entries()) {
    const options = { cas, vendor, image, configId: `s${i}/${service ?? 'app'}`, ...start };
    // The first is from the start record, for after it was opened CAS has no session in memory.
    for (let time = 0; time < 2; time++) {
      const { answer, connection } = await attestOnce(options);
      connection.socket.destroy();
      outcomes.push(answer.type === 'refused' ? { ...answer, requestId: '' } : answer);
    }
  }
  await cas.close();
  const recorded = eventsIn(folder).filter(({ type }) => /^Service (?:attested|refused)$/.test(type));
  assert.equal(recorded.length, 2 * cases.length);
  for (const [i, { what, expected }] of cases.entries()) {
    const [record, session] = outcomes.slice(2 * i);
    assert.ok(record && session);
    assert.deepEqual(record, session, what);
    assert.match(
      record.type === 'refused' ? `${record.code}: ${record.msg.join(': ')}` : record.type,
      expected,
      what,
    );
    assert.deepEqual(recorded[2 * i], recorded[2 * i + 1], what);
  }
});

/** That each of the sessions has one, so that the starts above do take it. */
async function haveRecords(folder: string): Promise<void> {
  const state = join(folder, 'state');
  const opened = await openState({
    folder: state,
    sealer: insecureKeyFile(state),
    random: randomBytes,
    now: () => new Date(),
  });
  const sessions = new Sessions(opened);
  for (const [i, { what }] of cases.entries())
    assert.ok('of' in (sessions.findForStart(`s${i}`, 'app', new Date()) ?? {}), what);
  await opened.audit.close();
  opened.store.close();
}

interface AuditedEvent {
  readonly type: string;
}

function eventsIn(folder: string): AuditedEvent[] {
  const lines = readFileSync(join(folder, 'state', 'audit.jsonl'), 'utf8')
    .trimEnd()
    .split('\n');
  return lines.map((line) => (JSON.parse(line) as { event: AuditedEvent }).event);
}
