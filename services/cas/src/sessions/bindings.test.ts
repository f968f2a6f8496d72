import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { place, refused, type Place } from '../../test/place.ts';
import { Serial } from '../state/serial.ts';
import { openState } from '../state/state.ts';
import { insecureKeyFile } from '../store/key-sealer.ts';
import { Bindings, type Binding } from './bindings.ts';
import { Sessions } from './sessions.ts';
import { testFolder } from '../../test/cas-under-test.ts';

/** The state of a CAS that does not run. */
function stateIn(folder: string): ReturnType<typeof openState> {
  const state = join(folder, 'state');
  return openState({
    folder: state,
    sealer: insecureKeyFile(state),
    random: randomBytes,
    now: () => new Date(),
  });
}

/** Gives the name of a session to one with another id, as nothing that CAS offers does. */
async function exchange(t: TestContext, before: Place, name: string): Promise<Place> {
  await before.cas.close();
  const state = await stateIn(before.folder);
  const sessions = new Sessions(state);
  const found = sessions.find(name) ?? assert.fail();
  const position = await state.audit.append(
    { type: 'Session updated', session: name, identity: null },
    state.store.sequence + 1,
  );
  sessions.write({ ...found, id: 'ff'.repeat(16) }, position);
  await state.audit.close();
  state.store.close();
  return place(t, { folder: before.folder });
}

const giver = '  - {name: x, kind: ascii, size: 30, export: {session: t}}\n';
const taker = '  - {name: x, import: {session: g}}\n';

for (const name of ['g', 't']) {
  void test(`an import means the sessions that it was first resolved with: another ${name} is somebody else`, async (t) => {
    const before = await place(t);
    await before.create('g', giver);
    await before.create('t', taker);
    const first = await before.environment('t');
    assert.deepEqual(await before.environment('t'), first);
    assert.equal(before.audit().match(/"Import bound"/g)?.length, 2, 'once for each side');
    const after = await exchange(t, before, name);
    refused(await after.start('t'), 'CAS_SERVICE_REFUSED');
  });
}

void test('updates keep what is bound, and a deleted exporter that comes back is the same one', async (t) => {
  const { create, environment, start, remove } = await place(t);
  const hash = await create('g', giver);
  const own = await create('t', taker);
  await environment('t');
  await create('t', taker, undefined, `predecessor: ${own}`);
  const tombstone = await remove('g', hash);
  refused(await start('t'), 'CAS_SERVICE_REFUSED');
  await create('g', giver, undefined, `predecessor: ${tombstone}`);
  assert.equal((await environment('t'))['X']?.length, 30);
});

void test('an import from another CAS is bound on both sides', async (t) => {
  const [there, here] = [await place(t), await place(t)];
  const exported = `  - {name: x, kind: ascii, size: 30, export: {session: t, ${here.named}}}\n`;
  await there.create('g', exported);
  await here.create('t', `  - {name: x, import: {session: g, ${there.named}}}\n`);
  await here.environment('t');
  assert.match(there.audit(), /"as":"exporter","cas":"\w+","other":"t","session":"g","type":"Import bound"/);
  assert.match(here.audit(), /"as":"importer","cas":"\w+","other":"g","session":"t","type":"Import bound"/);
  const other = await exchange(t, here, 't');
  refused(await other.start('t'), 'CAS_SERVICE_REFUSED');
});

void test('what is bound first stays, whoever comes together with it', async (t) => {
  const state = await stateIn(testFolder(t));
  const bindings = new Bindings(state, new Serial());
  const to = (id: string): Binding => ({
    as: 'importer',
    own: { name: 't', id: '00' },
    other: { name: 'g', id },
  });
  const done = await Promise.all(['aa', 'bb', 'aa'].map((id) => bindings.bind([to(id)])));
  assert.deepEqual(done, [true, false, true]);
  assert.deepEqual(
    ['aa', 'bb'].map((id) => bindings.allows(to(id))),
    [true, false],
  );
  const elsewhere = { ...to('bb'), other: { name: 'g', id: 'bb', cas: 'K' } };
  assert.equal(bindings.allows(elsewhere), true, 'the same name at another CAS');
  await state.audit.close();
  state.store.close();
});
