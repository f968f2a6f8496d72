import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  constants,
  copyFileSync,
  cpSync,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { testFolder } from '../../test/cas-under-test.ts';
import { CasError, type CasErrorCode } from '../errors.ts';
import { insecureKeyFile, insecureKeyFileName } from '../store/key-sealer.ts';
import { auditLogFileName, databaseFileName, openState, type State } from './state.ts';

const open = (folder: string): Promise<State> =>
  openState({ folder, sealer: insecureKeyFile(folder), random: randomBytes, now: () => new Date() });

const refusedWith = (code: CasErrorCode) => (error: unknown) => {
  assert.ok(error instanceof CasError, String(error));
  assert.equal(error.code, code, error.message);
  return true;
};

async function close(state: State): Promise<void> {
  await state.audit.close();
  state.store.close();
}

/** Announces a change and makes it, as CAS does. */
async function change(state: State, name: string): Promise<void> {
  const { store, audit } = state;
  const position = await audit.append(
    { type: 'Session created', session: name, identity: null },
    store.sequence + 1,
  );
  store.commit([{ table: 'session', name, value: name }], position);
}

/** A state folder with three changes, closed. */
async function filled(t: TestContext): Promise<string> {
  const folder = join(testFolder(t), 'state');
  const state = await open(folder);
  for (const name of ['a', 'b', 'c']) await change(state, name);
  await close(state);
  return folder;
}

const logOf = (folder: string): string[] =>
  readFileSync(join(folder, auditLogFileName), 'utf8').trimEnd().split('\n');
const writeLog = (folder: string, lines: readonly string[]): void =>
  writeFileSync(join(folder, auditLogFileName), lines.map((line) => `${line}\n`).join(''));

void test('a state that is opened again has the same identity', async (t) => {
  const folder = join(testFolder(t), 'state');
  const first = await open(folder);
  await close(first);
  const second = await open(folder);
  assert.deepEqual(second.identity.publicKey, first.identity.publicKey);
  assert.equal(second.identity.certificate, first.identity.certificate);
  await close(second);
});

void test('only the owner of the process may read the files', async (t) => {
  const folder = await filled(t);
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  for (const file of [databaseFileName, auditLogFileName, insecureKeyFileName]) {
    assert.equal(statSync(join(folder, file)).mode & 0o077, 0, file);
  }
});

void test('a write to the audit log returns when it is on the disk', async (t) => {
  const folder = join(testFolder(t), 'state');
  const state = await open(folder);
  const path = join(folder, auditLogFileName);
  const [descriptor] = readdirSync('/proc/self/fd').filter((fd) => linkOf(`/proc/self/fd/${fd}`) === path);
  const info = readFileSync(`/proc/self/fdinfo/${descriptor}`, 'utf8');
  const flags = Number.parseInt(/^flags:\s+([0-7]+)$/m.exec(info)?.[1] ?? '', 8);
  assert.equal(flags & constants.O_DSYNC, constants.O_DSYNC);
  assert.notEqual(constants.O_DSYNC, 0);
  await close(state);
});

/** Undefined for the descriptor of the list itself, which is closed by now. */
function linkOf(path: string): string | undefined {
  return lstatSync(path, { throwIfNoEntry: false }) && readlinkSync(path);
}

void test('a state that lacks a part is refused, never made anew', async (t) => {
  const folder = await filled(t);
  const cases: [string, CasErrorCode][] = [
    [insecureKeyFileName, 'CAS_STATE_KEY'],
    [databaseFileName, 'CAS_STATE_ROLLED_BACK'],
    [auditLogFileName, 'CAS_AUDIT_CORRUPT'],
  ];
  for (const [file, code] of cases) {
    const copy = join(testFolder(t), 'state');
    cpSync(folder, copy, { recursive: true });
    rmSync(join(copy, file));
    await assert.rejects(open(copy), refusedWith(code), file);
    await assert.rejects(open(copy), refusedWith(code), `${file}, the second time`);
  }
});

void test('a database older than its audit log is refused', async (t) => {
  const folder = await filled(t);
  const database = join(folder, databaseFileName);
  const old = `${database}.old`;
  copyFileSync(database, old);
  const state = await open(folder);
  await change(state, 'd');
  await change(state, 'e');
  await close(state);
  copyFileSync(old, database);
  await assert.rejects(open(folder), refusedWith('CAS_STATE_ROLLED_BACK'));
});

void test('an audit log that was cut, reordered, changed or forged is refused', async (t) => {
  const folder = await filled(t);
  const lines = logOf(folder);
  const [first = '', second = '', third = ''] = lines;
  const cases: [string, string[]][] = [
    ['the last record is missing', [first, second]],
    ['a record in the middle is missing', [first, third]],
    ['two records changed places', [second, first, third]],
    ['another session name', [first, second.replace('"session":"b"', '"session":"x"'), third]],
    ['an empty log', []],
    ['no JSON', [first, second, third, 'x']],
    ['the last record twice', [first, second, third, third]],
    [
      'a record more, by nobody',
      [
        first,
        second,
        third,
        third.replace('"sequence":3', '"sequence":4').replace('"session":"c"', '"session":"x"'),
      ],
    ],
    ['another encoding of the same', [first, second, third.replace('"event":{', '"event": {')]],
  ];
  for (const [what, changed] of cases) {
    writeLog(folder, changed);
    await assert.rejects(open(folder), refusedWith('CAS_AUDIT_CORRUPT'), what);
  }
  writeLog(folder, lines);
  await close(await open(folder));
});

void test('a record whose writing was cut short was never acknowledged, and is removed', async (t) => {
  const folder = await filled(t);
  const lines = logOf(folder);
  appendFileSync(join(folder, auditLogFileName), lines[2]?.slice(0, 50) ?? '');
  const state = await open(folder);
  await change(state, 'd');
  await close(state);
  assert.equal(logOf(folder).length, lines.length + 1);
  await close(await open(folder));
});

void test('records whose common write was cut short between them were never acknowledged, and are removed', async (t) => {
  const folder = await filled(t);
  const before = logOf(folder);
  const state = await open(folder);
  const read = (session: string): Promise<unknown> =>
    state.audit.append(
      { type: 'Session read', session, identity: null, secretsShown: false, secrets: [] },
      state.store.sequence,
    );
  await Promise.all([read('a'), read('b'), read('c')]);
  await close(state);
  const whole = logOf(folder);
  const signatures = whole.slice(before.length).map((line) => line.includes(',"signature":'));
  assert.deepEqual(signatures, [false, false, true]);
  writeLog(folder, whole.slice(0, -1));
  await close(await open(folder));
  assert.deepEqual(logOf(folder), before);
  // Nobody signed for this one either.
  writeLog(folder, [...whole, whole[before.length] as string]);
  await close(await open(folder));
  assert.deepEqual(logOf(folder), whole);
});

void test('a record that the database knows stays, also where the signature for it is gone', async (t) => {
  const folder = await filled(t);
  const state = await open(folder);
  const commit = state.store.sequence + 1;
  const [announced] = await Promise.all([
    state.audit.append({ type: 'Session created', session: 'd', identity: null }, commit),
    state.audit.append(
      { type: 'Session read', session: 'a', identity: null, secretsShown: false, secrets: [] },
      commit - 1,
    ),
  ]);
  state.store.commit([{ table: 'session', name: 'd', value: {} }], announced);
  await close(state);
  const whole = logOf(folder);
  writeLog(folder, whole.slice(0, -1));
  const again = await open(folder);
  assert.deepEqual(logOf(folder), whole.slice(0, -1));
  await change(again, 'e');
  await close(again);
  await close(await open(folder));
  writeLog(folder, whole.slice(0, -2));
  await assert.rejects(open(folder), refusedWith('CAS_AUDIT_CORRUPT'));
});

void test('a change that was announced and not made does not stop CAS', async (t) => {
  const folder = await filled(t);
  const state = await open(folder);
  await state.audit.append(
    { type: 'Session created', session: 'x', identity: null },
    state.store.sequence + 1,
  );
  await close(state);
  const again = await open(folder);
  await change(again, 'x');
  await close(again);
  await close(await open(folder));
});

void test('records that wait together are all in the log, in order', async (t) => {
  const folder = await filled(t);
  const state = await open(folder);
  const positions = await Promise.all(
    Array.from({ length: 200 }, (_, i) =>
      state.audit.append(
        { type: 'Session read', session: `s${i}`, identity: null, secretsShown: false, secrets: [] },
        state.store.sequence,
      ),
    ),
  );
  assert.deepEqual(
    positions.map(({ sequence }) => sequence),
    Array.from({ length: 200 }, (_, i) => i + 4),
  );
  await close(state);
  await close(await open(folder));
});

void test('a record that is too long for a line is refused, and the log goes on', async (t) => {
  const folder = await filled(t);
  const state = await open(folder);
  const tooLong = state.audit.append(
    { type: 'Service refused', configId: '\u0000'.repeat(200_000), code: 'X', reason: [] },
    state.store.sequence,
  );
  await assert.rejects(tooLong, RangeError);
  await change(state, 'd');
  await close(state);
  await close(await open(folder));
});

void test('a state whose log is of an earlier format is refused with what to do, and left as it is', async (t) => {
  const folder = await filled(t);
  const path = join(folder, auditLogFileName);
  const old = new URL('../../../../test/golden/audit/ensconce-audit-1.jsonl', import.meta.url);
  copyFileSync(old, path);
  await assert.rejects(open(folder), refusedWith('CAS_AUDIT_FORMAT'));
  assert.deepEqual(readFileSync(path), readFileSync(old));
});
