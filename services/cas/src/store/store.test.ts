import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test, type TestContext } from 'node:test';
import * as fc from 'fast-check';
import { CasError, type CasErrorCode } from '../errors.ts';
import { Store } from './store.ts';

const databaseKey = randomBytes(32);

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'cas-store-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

const openStore = (path: string, key: Uint8Array = databaseKey): Store =>
  new Store({ path, databaseKey: key, random: randomBytes });

const refusedWith = (code: CasErrorCode) => (error: unknown) =>
  error instanceof CasError && error.code === code;

/** Changes the closed database behind the back of CAS. */
function tamper(path: string, sql: string, ...values: (string | number | Uint8Array)[]): void {
  const database = new DatabaseSync(path);
  database.prepare(sql).run(...values);
  database.close();
}

function filled(path: string): void {
  const store = openStore(path);
  store.commit([{ table: 'session', name: 'a', value: { secret: 'kept' } }], undefined);
  store.commit([{ table: 'session', name: 'b', value: [1, 2] }], undefined);
  store.commit([{ table: 'session', name: 'a', value: { secret: 'kept again' } }], undefined);
  store.close();
}

void test('what was committed is there after reopening', (t) => {
  const path = join(folderOf(t), 'cas.db');
  filled(path);
  const store = openStore(path);
  assert.deepEqual(store.get('session', 'a'), { secret: 'kept again' });
  assert.deepEqual(store.get('session', 'b'), [1, 2]);
  assert.equal(store.get('session', 'c'), undefined);
  assert.equal(store.get('other', 'a'), undefined);
  assert.equal(store.sequence, 3);
  assert.equal([...store.all('session')].length, 2);
  store.close();
});

void test('a record of bytes is read as it was written, and each record says how often it was', (t) => {
  const path = join(folderOf(t), 'cas.db');
  let store = openStore(path);
  const bytes = randomBytes(100);
  assert.equal(store.versionOf('start', 'a'), undefined);
  assert.equal(store.nextVersionOf('start', 'a'), 1);
  store.commit([{ table: 'start', name: 'a', bytes }], undefined);
  assert.deepEqual(Buffer.from(store.read('start', 'a') ?? []), bytes);
  assert.equal(store.read('start', 'b'), undefined);
  assert.throws(() => store.get('start', 'a'));
  store.commit([{ table: 'start', name: 'a', bytes: new Uint8Array() }], undefined);
  store.close();
  store = openStore(path);
  assert.equal(store.read('start', 'a')?.length, 0);
  assert.deepEqual([store.versionOf('start', 'a'), store.nextVersionOf('start', 'a')], [2, 3]);
  store.close();
});

void test('a start record that was changed, taken away or put back is refused', (t) => {
  const folder = folderOf(t);
  const path = join(folder, 'cas.db');
  const store = openStore(path);
  const start = (text: string) => ({ table: 'start', name: 's/app', bytes: Buffer.from(text) });
  store.commit([{ table: 'session', name: 's', value: 1 }, start('old')], undefined);
  store.close();
  const database = new DatabaseSync(path);
  const before = database.prepare("SELECT body, version FROM record WHERE tab = 'start'").get();
  database.close();
  const { body, version } = before as { body: Uint8Array; version: number };
  const again = openStore(path);
  again.commit([{ table: 'session', name: 's', value: 2 }, start('new')], undefined);
  again.close();
  const changed = Uint8Array.from(body, (byte, i) => (i === 20 ? byte ^ 1 : byte));
  for (const change of [
    (file: string) => tamper(file, "UPDATE record SET body = ? WHERE tab = 'start'", changed),
    (file: string) => tamper(file, "DELETE FROM record WHERE tab = 'start'"),
    (file: string) =>
      tamper(file, "UPDATE record SET body = ?, version = ? WHERE tab = 'start'", body, version),
  ]) {
    const copy = join(folder, 'copy.db');
    copyFileSync(path, copy);
    change(copy);
    assert.throws(() => openStore(copy), refusedWith('CAS_STATE_CORRUPT'));
  }
});

void test('a file of the version without rowids is read and written as it is', (t) => {
  const path = join(folderOf(t), 'cas.db');
  filled(path);
  const database = new DatabaseSync(path);
  database.exec(
    'ALTER TABLE record RENAME TO later; CREATE TABLE record (tab TEXT NOT NULL, key BLOB NOT NULL, version INTEGER NOT NULL, ' +
      'body BLOB NOT NULL, PRIMARY KEY (tab, key)) STRICT, WITHOUT ROWID; INSERT INTO record SELECT * FROM later; DROP TABLE later',
  );
  database.close();
  const store = openStore(path);
  store.commit([{ table: 'session', name: 'b', value: 'newer' }], undefined);
  store.close();
  const again = openStore(path);
  assert.deepEqual(again.get('session', 'a'), { secret: 'kept again' });
  assert.equal(again.get('session', 'b'), 'newer');
  again.close();
});

void test('neither names nor values stand in the file', (t) => {
  const path = join(folderOf(t), 'cas.db');
  const store = openStore(path);
  store.commit([{ table: 'session', name: 'a-very-secret-name', value: 'a-very-secret-value' }], undefined);
  store.close();
  const bytes = readFileSync(path).toString('latin1');
  assert.equal(bytes.includes('very-secret'), false);
});

void test('a changed, deleted, swapped, older or foreign record is refused', (t) => {
  const folder = folderOf(t);
  const path = join(folder, 'cas.db');
  filled(path);
  const before = join(folder, 'before.db');
  copyFileSync(path, before);
  const row = (file: string, nth: number) => {
    const database = new DatabaseSync(file);
    const rows = database.prepare("SELECT * FROM record WHERE tab = 'session' ORDER BY key").all();
    database.close();
    return rows[nth] as { tab: string; key: Uint8Array; version: number; body: Uint8Array };
  };
  const [first, second] = [row(path, 0), row(path, 1)];
  const older = (() => {
    const store = openStore(path);
    store.commit([{ table: 'session', name: 'a', value: 'new' }], undefined);
    store.commit([{ table: 'session', name: 'b', value: 'new' }], undefined);
    store.close();
    return first;
  })();
  const now = row(path, 0);
  const flipped = Uint8Array.from(now.body);
  flipped[20] = (flipped[20] as number) ^ 1;
  const cases: [string, (file: string) => void][] = [
    ['a flipped bit', (file) => tamper(file, 'UPDATE record SET body = ? WHERE key = ?', flipped, now.key)],
    ['a deleted record', (file) => tamper(file, 'DELETE FROM record WHERE key = ?', now.key)],
    ['a deleted head', (file) => tamper(file, "DELETE FROM record WHERE tab = 'head'")],
    [
      'another version number',
      (file) => tamper(file, 'UPDATE record SET version = 9 WHERE key = ?', now.key),
    ],
    ['another table', (file) => tamper(file, "UPDATE record SET tab = 'x' WHERE key = ?", now.key)],
    [
      'an empty body',
      (file) => tamper(file, 'UPDATE record SET body = ? WHERE key = ?', new Uint8Array(0), now.key),
    ],
    [
      'an older copy of one record',
      (file) =>
        tamper(
          file,
          'UPDATE record SET body = ?, version = ? WHERE key = ?',
          older.body,
          older.version,
          older.key,
        ),
    ],
    [
      'the body of another record',
      (file) => tamper(file, 'UPDATE record SET body = ? WHERE key = ?', second.body, first.key),
    ],
    ['no SQLite file', (file) => copyFileSync(import.meta.filename, file)],
  ];
  for (const [what, change] of cases) {
    const copy = join(folder, 'copy.db');
    copyFileSync(path, copy);
    change(copy);
    assert.throws(() => openStore(copy), refusedWith('CAS_STATE_CORRUPT'), what);
  }
  assert.throws(() => openStore(path, randomBytes(32)), refusedWith('CAS_STATE_CORRUPT'), 'another key');
});

void test('a second CAS on the same state is refused', (t) => {
  const path = join(folderOf(t), 'cas.db');
  const store = openStore(path);
  store.commit([{ table: 'session', name: 'a', value: 1 }], undefined);
  assert.throws(() => openStore(path), refusedWith('CAS_STATE_LOCKED'));
  store.close();
});

void test('the mark of simulated evidence stays for ever', (t) => {
  const path = join(folderOf(t), 'cas.db');
  let store = openStore(path);
  assert.equal(store.simulated, false);
  store.commit([], undefined, { simulated: true });
  store.commit([{ table: 'session', name: 'a', value: 1 }], undefined);
  store.close();
  store = openStore(path);
  assert.equal(store.simulated, true);
  store.close();
});

void test('any sequence of commits reopens to the same root and values', (t) => {
  const folder = folderOf(t);
  let run = 0;
  const commits = fc.array(
    fc.array(fc.tuple(fc.constantFrom('s', 't'), fc.constantFrom('a', 'b', 'c', 'd'), fc.jsonValue()), {
      maxLength: 4,
    }),
    { maxLength: 6 },
  );
  fc.assert(
    fc.property(commits, (list) => {
      const path = join(folder, `${run++}.db`);
      const model = new Map<string, unknown>();
      const store = openStore(path);
      for (const changes of list) {
        store.commit(
          changes.map(([table, name, value]) => ({ table, name, value: value as never })),
          undefined,
        );
        for (const [table, name, value] of changes)
          model.set(`${table} ${name}`, JSON.parse(JSON.stringify(value)));
      }
      const { root } = store;
      store.close();
      const again = openStore(path);
      assert.equal(again.root, root);
      for (const [key, value] of model) {
        const [table, name] = key.split(' ') as [string, string];
        assert.deepEqual(again.get(table, name), value);
      }
      again.close();
    }),
    { numRuns: 8 },
  );
});
