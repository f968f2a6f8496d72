import { DatabaseSync, type StatementSync } from 'node:sqlite';
import * as v from 'valibot';
import { equalBytes, fromHex, toHex, utf8 } from '@ensconce/base/bytes';
import { canonicalJson, parseJson, type Json } from '@ensconce/base/json';
import { CasError } from '../errors.ts';
import { RecordCipher, type Random } from './record-cipher.ts';
import { StateRoot } from './state-root.ts';

/** One record to write: JSON, or bytes of a form of their own. Keys and secrets in it are only ever on disk encrypted. */
export type Change = { readonly table: string; readonly name: string } & (
  | { readonly value: Json }
  | { readonly bytes: Uint8Array }
);

/** Where the audit log stood when a state was written: a log that lacks this record has been cut. */
export const auditPosition = v.strictObject({
  sequence: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  hash: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
});
export type AuditPosition = v.InferOutput<typeof auditPosition>;

const headSchema = v.strictObject({
  /** Number of commits so far. */
  sequence: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  root: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  audit: v.nullable(auditPosition),
  /** Set for ever once this CAS has accepted simulated evidence. */
  simulated: v.boolean(),
});
type Head = v.InferOutput<typeof headSchema>;

const recordLimit = 32 * 1024 * 1024;
const headTable = 'head';

export interface StoreOptions {
  /** Path of the SQLite file. */
  readonly path: string;
  /** 32 bytes. */
  readonly databaseKey: Uint8Array;
  readonly random: Random;
}

interface Sealed {
  version: number;
  body: Uint8Array;
}

interface Row extends Sealed {
  tab: string;
  key: Uint8Array;
}

/**
 * The state of CAS in one SQLite file on an untrusted disk (docs/formats/cas-database.md). Every record is encrypted
 * and authenticated with its place and version; a root over all of them stands in an authenticated head that changes in
 * the same transaction. A commit that has returned survives `kill -9` and loss of power.
 */
export class Store {
  readonly #database: DatabaseSync;
  readonly #cipher: RecordCipher;
  readonly #root = new StateRoot();
  readonly #select: StatementSync;
  readonly #upsert: StatementSync;
  #head: Head;
  #headVersion: number;
  #broken: unknown;
  /** Told how many milliseconds each commit took. */
  onCommit: (milliseconds: number) => void = () => {};

  /** Opens and verifies the whole state, or makes an empty one where `path` does not exist. */
  constructor(options: StoreOptions) {
    this.#cipher = new RecordCipher(options.databaseKey, options.random);
    this.#database = openDatabase(options.path);
    try {
      this.#select = this.#database.prepare('SELECT version, body FROM record WHERE tab = ? AND key = ?');
      this.#upsert = this.#database.prepare(
        'INSERT INTO record (tab, key, version, body) VALUES (?, ?, ?, ?) ' +
          'ON CONFLICT (tab, key) DO UPDATE SET version = excluded.version, body = excluded.body',
      );
      const head = this.#load();
      this.#head = head.value;
      this.#headVersion = head.version;
    } catch (error) {
      this.#database.close();
      throw asStateError(error);
    }
  }

  /** Number of commits; grows by one with each. */
  get sequence(): number {
    return this.#head.sequence;
  }

  /** The root over all records, hex. */
  get root(): string {
    return this.#head.root;
  }

  get auditPosition(): AuditPosition | undefined {
    return this.#head.audit ?? undefined;
  }

  /** True once this state has accepted simulated evidence. */
  get simulated(): boolean {
    return this.#head.simulated;
  }

  /** False once memory and disk may differ: from then on nothing is written before a restart. */
  get writable(): boolean {
    return this.#broken === undefined;
  }

  /**
   * How often the record was written, undefined where it never was. From memory, where it is authentic: what was made of a record
   * can be held against this without reading that.
   */
  versionOf(table: string, name: string): number | undefined {
    return this.#root.versionOf({ table, key: this.#cipher.nameKey(table, name) });
  }

  /** What {@link versionOf} is once the next commit has written the record. */
  nextVersionOf(table: string, name: string): number {
    return (this.versionOf(table, name) ?? 0) + 1;
  }

  /** The value of a record, `unknown` until a schema has read it; undefined where there is none. */
  get(table: string, name: string): unknown {
    const bytes = this.read(table, name);
    return bytes && parsed(table, bytes);
  }

  /** The bytes of a record; undefined where there is none. */
  read(table: string, name: string): Uint8Array | undefined {
    const key = this.#cipher.nameKey(table, name);
    const row = this.#select.get(table, key) as Sealed | undefined;
    if (row === undefined) {
      if (this.#root.holds({ table, key, version: 0 }, undefined)) return undefined;
      throw corrupt(`${table} record: the one that was written expected, none found`);
    }
    return this.#open(this.#held({ tab: table, key, version: row.version, body: row.body }));
  }

  /** All values of a table, in no particular order. */
  *all(table: string): Generator {
    const rows = this.#database
      .prepare('SELECT tab, key, version, body FROM record WHERE tab = ?')
      .iterate(table) as Iterable<Row>;
    for (const row of rows) yield parsed(table, this.#open(this.#held(row)));
  }

  /**
   * Writes records, all or none. `audit` is the position of the audit record that announced them, which is durable
   * already. `simulated` marks the state for ever.
   */
  commit(
    changes: readonly Change[],
    audit: AuditPosition | undefined,
    marks: { readonly simulated?: true } = {},
  ): void {
    if (this.#broken !== undefined) throw writeFailed(this.#broken);
    const began = performance.now();
    const undo: (() => void)[] = [];
    try {
      this.#database.exec('BEGIN IMMEDIATE');
      for (const change of changes) undo.push(this.#write(change));
      const head: Head = {
        sequence: this.#head.sequence + 1,
        root: toHex(this.#root.value),
        audit: audit ?? this.#head.audit,
        simulated: this.#head.simulated || marks.simulated === true,
      };
      const version = this.#headVersion + 1;
      const key = this.#cipher.nameKey(headTable, '');
      const body = this.#cipher.seal({ table: headTable, key, version }, canonicalJson(head));
      this.#upsert.run(headTable, key, version, body);
      this.#database.exec('COMMIT');
      this.#head = head;
      this.#headVersion = version;
      this.onCommit(performance.now() - began);
    } catch (cause) {
      this.#rollBack(undo);
      throw writeFailed(cause);
    }
  }

  close(): void {
    this.#database.close();
  }

  #rollBack(undo: readonly (() => void)[]): void {
    try {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      for (const step of undo.toReversed()) step();
    } catch (error) {
      // Memory and disk may differ now: no more writes until a restart has verified the disk.
      this.#broken = error;
    }
  }

  /** Puts one record into the running transaction; returns what undoes its traces in memory. */
  #write(change: Change): () => void {
    const key = this.#cipher.nameKey(change.table, change.name);
    const before = this.#root.versionOf({ table: change.table, key });
    const beforeRow =
      before === undefined ? undefined : (this.#select.get(change.table, key) as Sealed | undefined);
    const version = (before ?? 0) + 1;
    const place = { table: change.table, key, version };
    const plaintext = 'bytes' in change ? change.bytes : utf8(JSON.stringify(change.value));
    const body = this.#cipher.seal(place, plaintext);
    if (body.length > recordLimit) throw new RangeError(`${change.table} record: too large`);
    this.#upsert.run(change.table, key, version, body);
    this.#root.set(place, body);
    return () => {
      this.#root.set({ ...place, version: before ?? 0 }, beforeRow?.body);
    };
  }

  /** The disk may have changed since it was verified. */
  #held(row: Row): Row {
    if (this.#root.holds({ table: row.tab, key: row.key, version: row.version }, row.body)) return row;
    throw corrupt(`${row.tab} record: the one that was written expected, another one found`);
  }

  #open(row: Row): Uint8Array {
    return this.#cipher.open({ table: row.tab, key: row.key, version: row.version }, row.body);
  }

  /**
   * Verifies every record by the root over them, which the head holds; the disk is untrusted. Records are opened when
   * they are asked for: the root is over their sealed bytes, so opening them here would prove nothing more.
   */
  #load(): { value: Head; version: number } {
    const headKey = this.#cipher.nameKey(headTable, '');
    let head: { value: Head; version: number } | undefined;
    let count = 0;
    const rows = this.#database.prepare('SELECT tab, key, version, body FROM record').iterate();
    for (const row of rows as Iterable<unknown> as Iterable<Row>) {
      count++;
      if (row.tab === headTable) {
        if (!equalBytes(row.key, headKey)) throw corrupt('one head expected, another one found');
        head = { value: v.parse(headSchema, parsed(row.tab, this.#open(row))), version: row.version };
      } else {
        this.#root.set({ table: row.tab, key: row.key, version: row.version }, row.body);
      }
    }
    if (head === undefined) {
      if (count > 0) throw corrupt(`a head expected beside ${count} records, none found`);
      const value = { sequence: 0, root: toHex(this.#root.value), audit: null, simulated: false };
      return { value, version: 0 };
    }
    if (!equalBytes(fromHex(head.value.root, 32), this.#root.value)) {
      throw corrupt(`root ${head.value.root} expected, ${toHex(this.#root.value)} found`);
    }
    return head;
  }
}

const parsed = (table: string, bytes: Uint8Array): unknown =>
  parseJson(bytes, `${table} record`, recordLimit);

function openDatabase(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: 1000 });
  try {
    // One process at a time: a second CAS on the same file would sign a second history.
    database.exec('PRAGMA locking_mode = EXCLUSIVE');
    database.exec('PRAGMA journal_mode = WAL');
    database.exec('PRAGMA synchronous = FULL');
    database.exec('PRAGMA trusted_schema = OFF');
    // With rowids: to read a session then takes a third of the time. A table of an earlier version has none, and serves as it is.
    database.exec(
      'CREATE TABLE IF NOT EXISTS record (tab TEXT NOT NULL, key BLOB NOT NULL, version INTEGER NOT NULL, ' +
        'body BLOB NOT NULL, PRIMARY KEY (tab, key)) STRICT',
    );
    database.exec('BEGIN EXCLUSIVE; COMMIT');
    return database;
  } catch (error) {
    database.close();
    throw asStateError(error);
  }
}

const restoreHint = 'restore the state folder from a snapshot; nothing of a changed one is used';

function corrupt(message: string): CasError {
  return new CasError('CAS_STATE_CORRUPT', `database: ${message}`, { hint: restoreHint });
}

function writeFailed(cause: unknown): CasError {
  return new CasError('CAS_STATE_WRITE', 'database: the change could not be written, nothing of it holds', {
    cause,
    hint: 'see to disk space and disk errors of the machine of CAS, then repeat the request',
  });
}

function asStateError(error: unknown): CasError {
  if (error instanceof CasError) return error;
  if (error instanceof Error && /locked|busy/.test(error.message)) {
    return new CasError('CAS_STATE_LOCKED', 'database: sole use expected, another process has it open', {
      cause: error,
      hint: 'stop the other CAS that runs on this state folder',
    });
  }
  return new CasError(
    'CAS_STATE_CORRUPT',
    'database: a state that CAS wrote expected, something else found',
    {
      cause: error,
      hint: restoreHint,
    },
  );
}
