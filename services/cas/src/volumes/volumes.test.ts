import assert from 'node:assert/strict';
import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import * as v from 'valibot';
import { deleteSession, postSession } from '@ensconce/api/client';
import type { Json } from '@ensconce/base/json';
import { volumeAnswer, type VolumeAnswer } from '@ensconce/wire/volume-tags';
import { casUnderTest, clientKeys, testFolder } from '../../test/cas-under-test.ts';
import { attestOnce, imageFor, measure, type ServiceConnection } from '../../test/service-under-test.ts';
import { sessionText } from '../../test/session-text.ts';
import { sinkUnderTest } from '../../test/sink-under-test.ts';
import type { CasOptions } from '../cas.ts';
import { CasError } from '../errors.ts';

const tagOf = (digit: string): string => digit.repeat(64);
const zero = tagOf('0');

interface Volumes {
  /** Creates a session whose image mounts these volumes. */
  readonly create: (name: string, mounted: string, volumes: string, predecessor?: string) => Promise<string>;
  readonly delete: (name: string, hash: string) => Promise<string>;
  /** Attests the service of a session, or says why it was refused. */
  readonly attest: (session: string) => Promise<{ connection: ServiceConnection; keys: string[] }>;
  readonly refusal: (session: string) => Promise<string>;
  readonly close: () => Promise<void>;
  readonly log: () => string;
}

async function start(
  t: TestContext,
  folder = testFolder(t),
  options: Partial<CasOptions> = {},
): Promise<Volumes> {
  const { cas, vendor, connect } = await casUnderTest(t, { folder, ...options });
  const image = imageFor(cas);
  const keys = await clientKeys();
  const attest = (session: string): ReturnType<typeof attestOnce> =>
    attestOnce({ vendor, cas, image, configId: `${session}/app` });
  return {
    create: async (name, mounted, volumes, predecessor) => {
      const text = sessionText({ name, mrenclave: measure(image), ...(predecessor && { predecessor }) });
      const withVolumes = text.replace(
        '    injection_files:',
        `    volumes: ${mounted}\n    injection_files:`,
      );
      const client = await connect(keys);
      return (await postSession(client, `${withVolumes}volumes: ${volumes}\n`)).hash;
    },
    delete: async (name, hash) => (await deleteSession(await connect(keys), name, hash)).hash,
    attest: async (session) => {
      const { answer, connection } = await attest(session);
      assert.equal(answer.type, 'configured', JSON.stringify(answer));
      t.after(() => connection.socket.destroy());
      const { volumes = [] } = answer.type === 'configured' ? answer.configuration : {};
      return { connection, keys: volumes.map(({ key }) => key) };
    },
    refusal: async (session) => {
      const { answer } = await attest(session);
      return answer.type === 'refused' ? answer.msg.join(': ') : 'none';
    },
    close: () => cas.close(),
    log: () => readFileSync(join(folder, 'state', 'audit.jsonl'), 'utf8'),
  };
}

async function ask({ frames }: ServiceConnection, question: Record<string, Json>): Promise<VolumeAnswer> {
  frames.send({ id: 7, volume: 'db', ...question });
  return v.parse(volumeAnswer, await frames.receive(5000));
}

const read = { type: 'volume-read' };
const acquire = (tag: string | null, epoch: number, to: string): Record<string, Json> => ({
  type: 'volume-acquire',
  expected: { tag, epoch },
  tag: to,
});
const advance = (epoch: number, from: string, to: string): Record<string, Json> => ({
  type: 'volume-advance',
  epoch,
  from,
  to,
});

void test('a session that was deleted and returned has its volumes as they were left', async (t) => {
  const cas = await start(t);
  const mounts = ['[{name: db, path: /data}]', '[{name: db}]'] as const;
  const hash = await cas.create('db-app', ...mounts);
  const before = await cas.attest('db-app');
  await ask(before.connection, acquire(null, 0, zero));
  await ask(before.connection, advance(1, zero, tagOf('1')));
  await ask(before.connection, { type: 'volume-close', epoch: 1, tag: tagOf('1') });
  const tombstone = await cas.delete('db-app', hash);
  assert.match(await cas.refusal('db-app'), /it does not exist, or its session does not admit this program/);
  await cas.create('db-app', ...mounts, tombstone);
  const after = await cas.attest('db-app');
  assert.deepEqual(after.keys, before.keys);
  const state = { type: 'volume-state', id: 7, tag: tagOf('1'), epoch: 1 };
  assert.deepEqual(await ask(after.connection, read), state, 'nothing older is accepted now');
});

void test('a volume has one key for ever, one writer, and a tag that outlives CAS', async (t) => {
  const folder = testFolder(t);
  const first = await start(t, folder);
  const hash = await first.create('db-app', '[{name: db, path: /data}]', '[{name: db}]');
  const one = await first.attest('db-app');
  assert.deepEqual(await ask(one.connection, read), { type: 'volume-state', id: 7, tag: null, epoch: 0 });
  const granted = await ask(one.connection, acquire(null, 0, zero));
  assert.deepEqual(granted, { type: 'volume-acquired', id: 7, epoch: 1 });
  const accepted = { type: 'volume-advanced', id: 7, result: 'accepted' };
  assert.deepEqual(await ask(one.connection, advance(1, zero, tagOf('1'))), accepted);
  assert.deepEqual(await ask(one.connection, advance(1, zero, tagOf('1'))), accepted, 'asked again');

  const two = await first.attest('db-app');
  assert.deepEqual(await ask(two.connection, acquire(zero, 1, zero)), {
    type: 'volume-acquired',
    id: 7,
    epoch: null,
  });
  const taken = await ask(two.connection, acquire(tagOf('1'), 1, tagOf('1')));
  assert.deepEqual(taken, { type: 'volume-acquired', id: 7, epoch: 2 });
  const superseded = { type: 'volume-advanced', id: 7, result: 'superseded' };
  assert.deepEqual(await ask(one.connection, advance(1, tagOf('1'), tagOf('2'))), superseded);
  assert.deepEqual(await ask(two.connection, advance(2, zero, tagOf('2'))), superseded, 'not from there');
  assert.deepEqual(await ask(two.connection, advance(2, tagOf('1'), tagOf('3'))), accepted);
  const closed = await ask(two.connection, { type: 'volume-close', epoch: 2, tag: tagOf('3') });
  assert.deepEqual(closed, { type: 'volume-closed', id: 7 });

  await first.create('db-app', '[{name: db, path: /data}]', '[{name: db}]', hash);
  await first.close();
  const second = await start(t, folder);
  const later = await second.attest('db-app');
  assert.deepEqual(later.keys, one.keys);
  assert.equal(Buffer.from(later.keys[0] ?? '', 'base64').length, 32);
  assert.deepEqual(await ask(later.connection, read), {
    type: 'volume-state',
    id: 7,
    tag: tagOf('3'),
    epoch: 2,
  });
  const events = second.log().match(/"on":"\w+"|"type":"Volume FSPF tag updated"/g);
  assert.deepEqual(
    events?.filter((event) => event.startsWith('"on"')),
    ['"on":"open"', '"on":"open"', '"on":"close"'],
  );
  assert.equal(second.log().includes(one.keys[0] ?? 'none'), false);
});

void test('questions about other volumes, and changes that the policy forbids, are refused', async (t) => {
  const { create, attest } = await start(t);
  const mounted = '[{name: db, path: /data, update_policy: POLICY}]';
  await create('eph', mounted.replace('POLICY', 'ephemeral'), '[{name: db}, {name: other}]');
  await create('loose', mounted.replace('POLICY', 'no_rollback_protection'), '[{name: db}]');
  const ephemeral = await attest('eph');
  const failed = await ask(ephemeral.connection, acquire(null, 0, zero));
  assert.match(JSON.stringify(failed), /volume-failed.*ephemeral/);
  await assert.rejects(ask(ephemeral.connection, { ...read, volume: 'other' }), /closed the connection/);
  const loose = await attest('loose');
  await ask(loose.connection, acquire(null, 0, zero));
  await ask(loose.connection, advance(1, zero, tagOf('1')));
  assert.match(
    JSON.stringify(await ask(loose.connection, advance(1, tagOf('1'), tagOf('2')))),
    /volume-failed/,
  );
});

void test('an imported volume is the exporter’s, with its key and tag, at most as weakly as the export allows', async (t) => {
  const { create, attest, refusal } = await start(t);
  const mounted = (policy: string): string => `[{name: db, path: /data, update_policy: ${policy}}]`;
  const importing = '[{name: db, import: {session: giver, volume: shared}}]';
  await create(
    'giver',
    '[{name: db, path: /data}]',
    '[{name: db, export: [{to: {session: taker}, volume_alias: shared}, {to: {session: weak}, volume_alias: shared}]}]',
  );
  for (const name of ['taker', 'thief']) await create(name, mounted('rollback_protected'), importing);
  await create('weak', mounted('no_rollback_protection'), importing);
  const giver = await attest('giver');
  await ask(giver.connection, acquire(null, 0, tagOf('1')));
  const taker = await attest('taker');
  assert.deepEqual(taker.keys, giver.keys);
  assert.deepEqual(await ask(taker.connection, read), {
    type: 'volume-state',
    id: 7,
    tag: tagOf('1'),
    epoch: 1,
  });
  assert.match(await refusal('thief'), /an export of volume shared by session 'giver' to this one expected/);
  assert.match(
    await refusal('weak'),
    /allows update_policy rollback_protected, no_rollback_protection found/,
  );
});

void test('a volume that its owner brings begins with the tag that the session says, once', async (t) => {
  const { create, attest, refusal } = await start(t);
  const key = 'ab'.repeat(32);
  const mounted = '[{name: db, path: /data}]';
  const own = (tag: string): string => `[{name: db, fspf_key: ${key}, ensconce: {tag: ${tag}}}]`;
  const hash = await create('own', mounted, own(tagOf('a')));
  const { connection, keys } = await attest('own');
  assert.deepEqual(keys, [Buffer.from(key, 'hex').toString('base64')]);
  const begun = { type: 'volume-state', id: 7, tag: tagOf('a'), epoch: 2 ** 32 };
  assert.deepEqual(await ask(connection, read), begun);
  await create('own', mounted, own(tagOf('b')), hash);
  assert.deepEqual(await ask((await attest('own')).connection, read), begun);
  await create('scone', mounted, `[{name: db, fspf_key: ${key}, fspf_tag: ${'0f'.repeat(16)}}]`);
  assert.match(await refusal('scone'), /fspf_tag is a tag of SCONE’s own file format/);
});

void test('with a witness, tags that were put back show even while a volume was open', async (t) => {
  const folder = testFolder(t);
  const auditSink = (await sinkUnderTest(t, true)).settings;
  const first = await start(t, folder, { auditSink });
  await first.create('db-app', '[{name: db, path: /data}]', '[{name: db}]');
  const { connection } = await first.attest('db-app');
  assert.equal((await ask(connection, acquire(null, 0, tagOf('1')))).type, 'volume-acquired');
  await first.close();
  const [database, old] = [join(folder, 'state', 'cas.db'), join(folder, 'old.db')];
  copyFileSync(database, old);
  const second = await start(t, folder, { auditSink });
  const again = await second.attest('db-app');
  await ask(again.connection, acquire(tagOf('1'), 1, tagOf('2')));
  const before = second.log().match(/"State committed"/g)?.length ?? 0;
  await ask(again.connection, advance(2, tagOf('2'), tagOf('3')));
  await ask(again.connection, advance(2, tagOf('3'), tagOf('4')));
  assert.equal(second.log().match(/"State committed"/g)?.length, before + 2);
  await second.close();
  copyFileSync(old, database);
  await assert.rejects(
    start(t, folder, { auditSink }),
    (error: unknown) => error instanceof CasError && error.code === 'CAS_STATE_ROLLED_BACK',
  );
});
