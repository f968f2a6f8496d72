import assert from 'node:assert/strict';
import { cpSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { newestCheckpoint } from '@ensconce/api/audit-client';
import { postSession, readSession, version } from '@ensconce/api/client';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { casUnderTest, clientKeys, testFolder, type CasUnderTest } from '../../test/cas-under-test.ts';
import { refusedWith } from '../../test/refused.ts';
import { attestOnce, imageFor, measure } from '../../test/service-under-test.ts';
import { sessionText } from '../../test/session-text.ts';
import { sinkUnderTest, type SinkUnderTest } from '../../test/sink-under-test.ts';
import { CasError } from '../errors.ts';
import { readSinkSettings } from './sink-settings.ts';

const mrenclave = 'aa'.repeat(32);

const logOf = ({ folder }: { readonly folder: string }): string[] =>
  readFileSync(join(folder, 'state', 'audit.jsonl'), 'utf8')
    .trimEnd()
    .split('\n');

/** The sink has each record of the log once, as it stands there. */
function assertWhole(sink: SinkUnderTest, folder: { readonly folder: string }): void {
  const lines = [...sink.lines].toSorted(([a], [b]) => a - b);
  assert.deepEqual(
    lines.map(([, line]) => line),
    logOf(folder),
  );
  assert.deepEqual(
    lines.map(([number]) => number),
    lines.map((_, i) => i + 1),
  );
  assert.deepEqual(sink.conflicts, []);
}

async function eventually(holds: () => Promise<boolean> | boolean): Promise<void> {
  for (let i = 0; i < 100; i++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.fail('it did not come about');
}

async function start(t: TestContext, sink: SinkUnderTest, folder?: string): Promise<CasUnderTest> {
  return casUnderTest(t, { auditSink: sink.settings, ...(folder === undefined ? {} : { folder }) });
}

void test('a record is in the sink before a secret leaves', async (t) => {
  const sink = await sinkUnderTest(t, false);
  const started = await start(t, sink);
  const { cas, connect, vendor } = started;
  const image = imageFor(cas);
  const owner = await connect(await clientKeys());
  await postSession(owner, sessionText({ name: 'app', mrenclave: measure(image) }));
  await readSession(owner, 'app', { secrets: 'shown' });
  assert.ok([...sink.lines.values()].some((line) => line.includes('"secretsShown":true')));
  const { answer } = await attestOnce({ vendor, cas, configId: 'app/app', image });
  assert.equal(answer.type, 'configured');
  assert.ok([...sink.lines.values()].some((line) => line.includes('"Service attested"')));
  await Promise.all(Array.from({ length: 50 }, () => readSession(owner, 'app')));
  await cas.close();
  assertWhole(sink, started);
});

void test('while the sink is away nothing is released, and afterwards it lacks nothing', async (t) => {
  const sink = await sinkUnderTest(t, false);
  const started = await start(t, sink);
  const { cas, connect, vendor } = started;
  const image = imageFor(cas);
  const keys = await clientKeys();
  await postSession(await connect(keys), sessionText({ name: 'app', mrenclave: measure(image) }));
  for (const mood of ['fails', 'hangs', 'drops', 'takes-and-fails'] as const) {
    sink.mood = mood;
    const owner = await connect(keys);
    await assert.rejects(readSession(owner, 'app'), refusedWith('CAS_AUDIT_SINK'), mood);
    await assert.rejects(
      postSession(owner, sessionText({ name: mood, mrenclave })),
      refusedWith('CAS_AUDIT_SINK'),
      mood,
    );
    const { answer } = await attestOnce({ vendor, cas, configId: 'app/app', image });
    assert.equal(answer.type === 'refused' && answer.code, 'CAS_AUDIT_SINK', mood);
    assert.equal(answer.type === 'refused' && answer.retry, true, mood);
    await newestCheckpoint(nodeCrypto, owner, undefined);
    sink.mood = 'takes';
    await eventually(() =>
      readSession(owner, 'app').then(
        () => true,
        () => false,
      ),
    );
    await assert.rejects(readSession(owner, mood), refusedWith('CAS_SESSION_NOT_FOUND'), mood);
  }
  await cas.close();
  assertWhole(sink, started);
});

void test('a CAS that starts without its sink opens its ports, releases nothing, and goes on by itself', async (t) => {
  const sink = await sinkUnderTest(t, true);
  const first = await start(t, sink);
  const keys = await clientKeys();
  await postSession(await first.connect(keys), sessionText({ name: 'app', mrenclave }));
  await first.cas.close();
  sink.mood = 'fails';
  const second = await start(t, sink, first.folder);
  const owner = await second.connect(keys);
  assert.equal((await version(owner)).witnessed, false);
  await assert.rejects(readSession(owner, 'app'), refusedWith('CAS_AUDIT_SINK', /has not confirmed/));
  sink.mood = 'takes';
  await eventually(async () => (await version(owner)).witnessed);
  await readSession(owner, 'app');
  await second.cas.close();
  assertWhole(sink, first);
});

void test('a state that was put back does not start where a witness knows better', async (t) => {
  const sink = await sinkUnderTest(t, true);
  const first = await start(t, sink);
  const { folder } = first;
  const keys = await clientKeys();
  await postSession(await first.connect(keys), sessionText({ name: 'app', mrenclave }));
  await first.cas.close();
  const saved = join(testFolder(t), 'saved');
  cpSync(join(folder, 'state'), saved, { recursive: true });
  const second = await start(t, sink, folder);
  await readSession(await second.connect(keys), 'app');
  await second.cas.close();
  const whole = logOf(first);
  rmSync(join(folder, 'state'), { recursive: true });
  cpSync(saved, join(folder, 'state'), { recursive: true });
  await assert.rejects(
    start(t, sink, folder),
    (error: unknown) => error instanceof CasError && error.code === 'CAS_STATE_ROLLED_BACK',
  );
  assert.equal(sink.lines.size, whole.length);
  assert.deepEqual(sink.conflicts, []);
  // Without the witness's word it runs, and releases nothing.
  sink.mood = 'fails';
  const third = await start(t, sink, folder);
  const owner = await third.connect(keys);
  await assert.rejects(readSession(owner, 'app'), refusedWith('CAS_AUDIT_SINK'));
  sink.mood = 'takes';
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await assert.rejects(readSession(owner, 'app'), refusedWith('CAS_AUDIT_SINK'));
});

void test('a witness that lost what it knew confirms nothing', async (t) => {
  const sink = await sinkUnderTest(t, true);
  const first = await start(t, sink);
  const keys = await clientKeys();
  const owner = await first.connect(keys);
  await postSession(owner, sessionText({ name: 'app', mrenclave }));
  const { checkpoint } = await newestCheckpoint(nodeCrypto, owner, undefined);
  await first.cas.close();
  sink.checkpoint = undefined;
  const second = await start(t, sink, first.folder);
  const again = await second.connect(keys);
  await assert.rejects(readSession(again, 'app'), refusedWith('CAS_AUDIT_SINK'));
  // What any client has seen can be given back.
  sink.checkpoint = checkpoint.note;
  await eventually(async () => (await version(again)).witnessed);
  await readSession(again, 'app');
});

void test('a CAS that gets a sink later sends all that it has', async (t) => {
  const sink = await sinkUnderTest(t, false);
  const first = await casUnderTest(t);
  await postSession(await first.connect(await clientKeys()), sessionText({ name: 'app', mrenclave }));
  await first.cas.close();
  const second = await start(t, sink, first.folder);
  await second.cas.close();
  assertWhole(sink, first);
  const before = sink.batches.length;
  const third = await start(t, sink, first.folder);
  await third.cas.close();
  assertWhole(sink, first);
  assert.ok(
    sink.batches.slice(before).every((number) => number > 3),
    'nothing is sent again after a clean end',
  );
});

void test('a server that its authority does not vouch for gets nothing', async (t) => {
  const sink = await sinkUnderTest(t, false);
  const other = await sinkUnderTest(t, false);
  const { connect } = await casUnderTest(t, {
    auditSink: { ...sink.settings, serverCa: other.settings.serverCa },
  });
  await assert.rejects(
    postSession(await connect(await clientKeys()), sessionText({ name: 'app', mrenclave })),
    refusedWith('CAS_AUDIT_SINK'),
  );
  assert.equal(sink.lines.size, 0);
});

void test('the owner’s settings are read, and refused where they mean less than they say', () => {
  const read = (text: string, name = 'owner.toml') => readSinkSettings(Buffer.from(text), name);
  assert.equal(read(''), undefined);
  assert.equal(read('[audit_log]\nmode = "signed"\nsink = "file"'), undefined);
  assert.deepEqual(
    read(
      '[audit_log]\nsink = "network"\nurl = "https://sink.example/a"\n[audit_log.ensconce]\nwitness = true',
    ),
    { url: 'https://sink.example/a', serverCa: undefined, witness: true, timeout: 5000 },
  );
  assert.equal(read('{"audit_log": {"sink": "file"}}', 'owner.json'), undefined);
  for (const wrong of [
    '[audit_log]\nmode = "disabled"',
    '[audit_log]\nmode = "unsigned"',
    '[audit_log]\nsink = "network"',
    '[audit_log]\nsink = "network"\nurl = "http://sink.example"',
    '[audit_log]\nurl = "https://sink.example"',
    '[audit_log.ensconce]\nwitness = true',
    '[audit_log]\nsinks = "file"',
    '[api_identity]\ncommon_name = "x"',
    'audit_log = 1',
    'no toml',
  ]) {
    assert.throws(
      () => read(wrong),
      (error: unknown) => error instanceof CasError && error.code === 'CAS_CONFIGURATION',
      wrong,
    );
  }
});
