import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listSessions, postSession, readHistory, readSession } from '@ensconce/api/client';
import { keyHashOfCertificate } from '@ensconce/policy/key-hash';
import { clientKeys } from '../../test/cas-under-test.ts';
import { refusedWith } from '../../test/refused.ts';
import { sessionUnderTest } from '../../test/session-under-test.ts';
import { defaultLimits } from '../limits.ts';
import { Metrics } from '../observe/metrics.ts';

const atMost = (sessions: number) => ({ limits: { ...defaultLimits, sessions } });
const full = (limit: number, found: number) =>
  refusedWith('CAS_SESSIONS_FULL', new RegExp(`holds at most ${limit} sessions.*and has ${found}`));

void test('a full CAS takes no further name, whether sessions are there or were, and all else goes on', async (t) => {
  const metrics = new Metrics();
  const keys = await clientKeys();
  const creators = new Set([keyHashOfCertificate(keys.certificate)]);
  const { write, remove, outcome, connect, cas, folder } = await sessionUnderTest(t, {
    ...atMost(3),
    metrics,
    keys,
    creators,
  });
  const first = await write({ name: 'first' });
  const second = await write({ name: 'second' });
  const tombstone = await remove('second', second);
  const inside = await write({ name: 'first/inside' });
  for (const name of ['third', 'first/third', '/']) await assert.rejects(write({ name }), full(3, 3));
  const text = await metrics.text();
  for (const line of ['sessions 2', 'sessions_held 3', 'sessions_limit 3'])
    assert.match(text, new RegExp(`^ensconce_cas_${line}$`, 'm'));

  const client = await connect(keys);
  assert.equal(await outcome('first'), 'configured');
  await write({ name: 'first', predecessor: first });
  assert.equal((await readHistory(client, 'first')).versions.length, 2);
  await write({ name: 'second', predecessor: tombstone });
  await remove('first/inside', inside);
  await assert.rejects(write({ name: 'third' }), full(3, 3), 'a deletion frees no place');
  assert.equal(await outcome('second'), 'configured');
  await cas.close();

  const lower = await sessionUnderTest(t, { ...atMost(1), keys, creators, folder });
  assert.equal(await lower.outcome('first'), 'configured', 'a limit below what there is stops no start');
  await assert.rejects(lower.write({ name: 'third' }), full(1, 3));
  await lower.cas.close();

  const higher = await sessionUnderTest(t, { ...atMost(4), keys, creators, folder });
  await higher.write({ name: '/' });
  await assert.rejects(higher.write({ name: 'third' }), full(4, 4));
});

void test('that CAS is full is told to nobody who could not create the session', async (t) => {
  const [owner, stranger] = [await clientKeys('owner'), await clientKeys('stranger')];
  const { write, connect } = await sessionUnderTest(t, {
    ...atMost(1),
    keys: owner,
    creators: new Set([keyHashOfCertificate(owner.certificate)]),
  });
  await write({ name: 'team' });
  await assert.rejects(write({ name: 'other' }), full(1, 1));
  const theirs = await connect(stranger);
  const create = (name: string): Promise<unknown> =>
    postSession(theirs, `name: ${name}\nversion: "0.3.12"\n`);
  for (const name of ['team', 'other', 'team/inside', 'absent/inside'])
    await assert.rejects(create(name), refusedWith('CAS_SESSION_FORBIDDEN', /may not create/));
  await assert.rejects(readSession(theirs, 'team'), refusedWith('CAS_SESSION_NOT_FOUND'));
  assert.deepEqual((await listSessions(theirs)).sessions, []);
});
