import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clientKeys, testFolder } from '../../test/cas-under-test.ts';
import { sessionUnderTest, type SessionUnderTest } from '../../test/session-under-test.ts';

const more = 'security: {singleton_enclaves: true}\n';

void test('a newer start supersedes the one that runs, which is told and served no longer', async (t) => {
  const { write, begin, outcome } = await sessionUnderTest(t);
  await write({ name: 's', more });
  const keys = await clientKeys('older');
  const older = await begin('s', { keys });
  assert.equal(older.answer.type, 'configured');
  const newer = await begin('s');
  assert.equal(newer.answer.type, 'configured');
  assert.deepEqual(await older.connection.frames.receive(5000), { type: 'superseded' });
  await assert.rejects(older.connection.frames.receive(5000), /closed/);
  assert.match(
    await outcome('s', { keys, frame: { again: true } }),
    /^CAS_SERVICE_REFUSED: service 's\/app': the instance that started last expected/,
  );
  newer.connection.socket.destroy();
});

void test('the instance that counts connects again, also after a restart of CAS; a superseded one does not', async (t) => {
  const folder = testFolder(t);
  const first = await sessionUnderTest(t, { folder });
  await first.write({ name: 's', more });
  const [older, newer] = [await clientKeys('older'), await clientKeys('newer')];
  assert.equal(await first.outcome('s', { keys: older }), 'configured');
  assert.equal(await first.outcome('s', { keys: newer }), 'configured');
  await first.cas.close();
  const second = await sessionUnderTest(t, { folder });
  assert.equal(await second.outcome('s', { keys: newer, frame: { again: true } }), 'configured');
  assert.match(await second.outcome('s', { keys: older, frame: { again: true } }), /started last expected/);
});

void test('which instance counts survives update, deletion and return of its session', async (t) => {
  const folder = testFolder(t);
  const owner = await clientKeys('owner');
  const first = await sessionUnderTest(t, { folder, keys: owner });
  const created = await first.write({ name: 's', more });
  const [older, newer] = [await clientKeys('older'), await clientKeys('newer')];
  assert.equal(await first.outcome('s', { keys: older }), 'configured');
  assert.equal(await first.outcome('s', { keys: newer }), 'configured');
  const holds = async ({ outcome }: SessionUnderTest, when: string): Promise<void> => {
    const again = { frame: { again: true } } as const;
    assert.match(await outcome('s', { keys: older, ...again }), /started last expected/, when);
    assert.equal(await outcome('s', { keys: newer, ...again }), 'configured', when);
  };
  const updated = await first.write({
    name: 's',
    predecessor: created,
    more,
    secrets: '  - {name: new, kind: ascii}\n',
  });
  await holds(first, 'updated');
  const tombstone = await first.remove('s', updated);
  await first.cas.close();
  const second = await sessionUnderTest(t, { folder, keys: owner });
  await second.write({ name: 's', predecessor: tombstone, more });
  await holds(second, 'deleted and returned');
});

void test('the same service of two sessions counts in each', async (t) => {
  const { write, outcome } = await sessionUnderTest(t);
  const [one, two] = [await clientKeys('one'), await clientKeys('two')];
  await write({ name: 'a', more });
  await write({ name: 'b', more });
  assert.equal(await outcome('a', { keys: one }), 'configured');
  assert.equal(await outcome('b', { keys: two }), 'configured');
  assert.equal(await outcome('a', { keys: one, frame: { again: true } }), 'configured');
});

void test('a start that is refused supersedes nobody', async (t) => {
  const { write, begin, outcome } = await sessionUnderTest(t);
  await write({ name: 's', more });
  const { connection } = await begin('s');
  assert.match(await outcome('s', { wrong: { debug: true } }), /debug/);
  assert.match(await outcome('s', { frame: { serviceAccessToken: 'x' } }), /token/);
  const quiet = await Promise.race([
    connection.frames.receive(60_000).catch(() => undefined),
    new Promise((resolve) => setTimeout(() => resolve('quiet'), 300)),
  ]);
  assert.equal(quiet, 'quiet');
  connection.socket.destroy();
});

void test('of many starts at once, the one that is left is the one in the database', async (t) => {
  const { write, begin, outcome } = await sessionUnderTest(t);
  await write({ name: 's', more });
  const starts = await Promise.all(
    Array.from({ length: 6 }, async () => {
      const keys = await clientKeys('one');
      return { keys, ...(await begin('s', { keys })) };
    }),
  );
  const again: string[] = [];
  for (const { keys } of starts) again.push(await outcome('s', { keys, frame: { again: true } }));
  assert.equal(again.filter((one) => one === 'configured').length, 1);
  for (const { connection } of starts) connection.socket.destroy();
});

void test('without singleton_enclaves a service runs as often as it is started', async (t) => {
  const { write, begin } = await sessionUnderTest(t);
  await write({ name: 's' });
  const both = [await begin('s'), await begin('s')];
  for (const { answer, connection } of both) {
    assert.equal(answer.type, 'configured');
    connection.socket.destroy();
  }
});
