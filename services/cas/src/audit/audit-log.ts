import { sign, type KeyObject } from 'node:crypto';
import { write } from 'node:fs';
import { constants, open, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { toHex } from '@ensconce/base/bytes';
import type { SessionHead } from '@ensconce/audit/chain';
import { sessionsOf, type AuditEvent } from '@ensconce/audit/event';
import type { TreeHead } from '@ensconce/audit/proof';
import { encodeRecord, lineLimit } from '@ensconce/audit/record';
import { leafInput, type GrowingTree, type StoredTree } from '@ensconce/audit/tree';
import { CasError } from '../errors.ts';
import { syncFolder } from '../store/key-sealer.ts';
import type { AuditPosition } from '../store/store.ts';
import { openLog, sha256, type OpenedLog } from './open-log.ts';
import type { TreeFile } from './tree-file.ts';

export interface AuditLogOptions {
  readonly path: string;
  /** Ed25519 private key. */
  readonly key: KeyObject;
  readonly now: () => Date;
  /** Where the database says that the log stood. */
  readonly anchor: AuditPosition | undefined;
  /** Number of the database's last commit. */
  readonly commit: number;
}

/** Somewhere else where records must be before what they tell of may happen. */
export interface AuditSink {
  /** Whether it has all records, or is about to get them. */
  readonly up: boolean;
  /** Whether every commit needs a record, so that a database that was put back shows. */
  readonly countsCommits: boolean;
  /** Throws where it is known to be out of reach, so that nothing is begun that could not be told of. */
  check(): void;
  /** Resolves when the records up to `sequence`, which are on the disk, are there too. */
  reached(sequence: number): Promise<void>;
}

interface Waiting {
  readonly line: Buffer;
  readonly leaf: Uint8Array;
  readonly position: AuditPosition;
  readonly sessions: readonly string[];
  readonly written: () => void;
  readonly failed: (error: unknown) => void;
}

/**
 * The audit log: JSON lines, numbered, each with the hash of the one before and a signature, and a tree over them (docs/formats/audit-log.md).
 * Records that wait together share one sync.
 */
export class AuditLog {
  readonly path: string;
  readonly #options: AuditLogOptions;
  readonly #file: FileHandle;
  /** Of what is on the disk: sessions' numbers, tree, size. */
  readonly #heads: Map<string, SessionHead>;
  readonly #durable: GrowingTree;
  readonly #tree: TreeFile;
  #size: number;
  /** Of what was handed out, the queue included. */
  #sequence: number;
  #hash: string;
  readonly #queuedHeads = new Map<string, SessionHead>();
  #queue: Waiting[] = [];
  #writing: Promise<void> | undefined;
  /** Whether something waits for what is in the queue. */
  #urgent = false;
  #patience: NodeJS.Timeout | undefined;
  #failure: unknown;
  #sink: AuditSink | undefined;
  /** Called when more records are on the disk. */
  onGrowth: () => void = () => {};
  /** Told how many milliseconds each write of records took. */
  onSync: (milliseconds: number) => void = () => {};

  private constructor(options: AuditLogOptions, file: FileHandle, { chain, tree, size }: OpenedLog) {
    this.path = options.path;
    this.#options = options;
    this.#file = file;
    this.#heads = new Map(chain.heads);
    this.#durable = chain.tree;
    this.#tree = tree;
    this.#size = size;
    this.#sequence = chain.sequence;
    this.#hash = chain.hash;
  }

  /** Opens a log, verifies it whole against itself and against the database, and cuts off a torn last line. */
  static async open(options: AuditLogOptions): Promise<AuditLog> {
    const { path } = options;
    const folder = dirname(path);
    const file = await open(path, appendDurably, 0o600);
    try {
      syncFolder(folder);
      const opened = await openLog({ ...options, folder });
      await file.truncate(opened.size);
      return new AuditLog(options, file, opened);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** From here on {@link append} waits for this sink too. */
  useSink(sink: AuditSink): void {
    this.#sink = sink;
  }

  /** Announces a commit that no event tells of: recorded where a witness counts commits, else undefined. */
  async announceCommit(commit: number): Promise<AuditPosition | undefined> {
    return this.#sink?.countsCommits === true ? this.append({ type: 'State committed' }, commit) : undefined;
  }

  /** The last record that was appended. */
  get position(): AuditPosition {
    return { sequence: this.#sequence, hash: this.#hash };
  }

  /** False once a record could not be written, which a restart mends, and while the sink is out of reach: then nothing is released. */
  get writable(): boolean {
    return this.#failure === undefined && this.#sink?.up !== false;
  }

  /** The tree over what is on the disk. */
  get head(): TreeHead {
    return { size: this.#durable.size, root: this.#durable.root() };
  }

  get size(): number {
    return this.#durable.size;
  }

  /** Hashes for proofs of up to {@link size} records, from an untrusted disk: a proof counts when it was held against the root. */
  get stored(): StoredTree {
    return { sha256, read: this.#tree.read };
  }

  /** Where a session's records stand, among those on the disk. */
  sessionHead(session: string): SessionHead {
    return this.#heads.get(session) ?? { count: 0, last: 0 };
  }

  /** Lines of records, as the untrusted disk has them, without line feeds. `from` to `to` are on the disk. */
  async lines(from: number, to: number): Promise<Buffer[]> {
    const start = this.#tree.offset(from);
    const ends = Array.from({ length: to - from + 1 }, (_, i) => this.#tree.end(from + i) - start);
    const bytes = Buffer.alloc(ends.at(-1) ?? 0);
    await this.#file.read(bytes, 0, bytes.length, start);
    return ends.map((end, i) => bytes.subarray(i === 0 ? 0 : ends[i - 1], end - 1));
  }

  /** How many of the records from `from` on fit into so many bytes; at least one. */
  fitting(from: number, to: number, bytes: number): number {
    const start = this.#tree.offset(from);
    let last = from;
    while (last < to && this.#tree.end(last + 1) - start <= bytes) last++;
    return last;
  }

  /**
   * Records what is about to happen. Resolves when the record is on the disk and in the sink; only then may it happen. `commit` is the one
   * that the event announces or follows. Rejects when disk or sink do not take it.
   */
  async append(event: AuditEvent, commit: number): Promise<AuditPosition> {
    this.#sink?.check();
    const position = await this.note(event, commit);
    await this.#sink?.reached(position.sequence);
    return position;
  }

  /**
   * Records what releases and changes nothing: resolves when it is on the disk, the sink gets it when it can. Where nobody waits for it,
   * `patient`, it may go with the next records, within {@link longestPatience}.
   */
  note(event: AuditEvent, commit: number, patient = false): Promise<AuditPosition> {
    if (this.#failure !== undefined) return Promise.reject(writeFailed(this.#failure));
    const sessions = sessionsOf(event);
    const sequence = this.#sequence + 1;
    const places = sessions.map((session) => {
      const { count, last } = this.#queuedHeads.get(session) ?? this.sessionHead(session);
      return { number: count + 1, previous: last, session };
    });
    const record = {
      at: this.#options.now().toISOString(),
      commit,
      event,
      previous: this.#hash,
      sequence,
      sessions: places,
    };
    const line = encodeRecord(record, (data) => sign(null, data, this.#options.key));
    if (line.length > lineLimit) {
      return Promise.reject(new RangeError(`audit record: ${lineLimit} bytes at most, ${line.length} found`));
    }
    const leaf = sha256(leafInput(line));
    this.#sequence = sequence;
    this.#hash = toHex(leaf);
    for (const { session, number } of places)
      this.#queuedHeads.set(session, { count: number, last: sequence });
    const position = this.position;
    return new Promise((resolve, reject) => {
      this.#queue.push({
        line: Buffer.concat([line, lineFeed]),
        leaf,
        position,
        sessions,
        written: () => resolve(position),
        failed: reject,
      });
      this.#write(patient);
    });
  }

  async close(): Promise<void> {
    if (this.#queue.length > 0) this.#write(false);
    await this.#writing;
    await this.#file.close();
    this.#tree.close();
  }

  /** Has the queue written, soon or at once. */
  #write(patient: boolean): void {
    if (patient && !this.#urgent) {
      this.#patience ??= setTimeout(() => this.#write(false), longestPatience);
      return;
    }
    this.#urgent = true;
    this.#writing ??= this.#drain();
  }

  async #drain(): Promise<void> {
    while (this.#urgent) {
      // What else the events of this turn of the loop have to record shares the way to the disk.
      await new Promise((resolve) => setImmediate(resolve));
      clearTimeout(this.#patience);
      this.#patience = undefined;
      this.#urgent = false;
      const batch = this.#queue;
      this.#queue = [];
      try {
        if (this.#failure !== undefined) throw this.#failure;
        const began = performance.now();
        const lines = Buffer.concat(batch.map((entry) => entry.line));
        await new Promise<void>((resolve, reject) => {
          writeWhole(this.#file.fd, lines, (error) => (error === null ? resolve() : reject(error)));
        });
        this.onSync(performance.now() - began);
        for (const entry of batch) this.#settle(entry);
        for (const entry of batch) entry.written();
        this.onGrowth();
      } catch (error) {
        // What is on the disk is unknown now, so the chain cannot go on before a restart has read it again.
        this.#failure = error;
        for (const entry of batch) entry.failed(writeFailed(error));
      }
    }
    this.#writing = undefined;
  }

  /** What is on the disk counts for proofs and for the numbers that CAS states. */
  #settle({ line, leaf, position: { sequence }, sessions }: Waiting): void {
    this.#size += line.length;
    this.#tree.append(this.#size, this.#durable.append(leaf));
    for (const session of sessions) {
      this.#heads.set(session, { count: this.sessionHead(session).count + 1, last: sequence });
      if (this.#queuedHeads.get(session)?.last === sequence) this.#queuedHeads.delete(session);
    }
  }
}

// A write comes back when it is on the disk: one way to the disk for each batch instead of two.
const { O_RDWR, O_CREAT, O_APPEND, O_DSYNC } = constants;
const appendDurably = O_RDWR | O_CREAT | O_APPEND | O_DSYNC;
const lineFeed = Buffer.from('\n');

/** Appends all bytes. By callbacks: the promises of `node:fs` cost as much as what they wait for. */
function writeWhole(file: number, bytes: Uint8Array, done: (error: Error | null) => void): void {
  write(file, bytes, (error, written) => {
    if (error === null && written < bytes.length) writeWhole(file, bytes.subarray(written), done);
    else done(error);
  });
}

/** Milliseconds that a record waits for others where nothing waits for it. */
const longestPatience = 20;

function writeFailed(cause: unknown): CasError {
  return new CasError(
    'CAS_AUDIT_WRITE',
    'audit log: the record could not be written, so nothing is released',
    {
      cause,
      hint: 'see to disk space and disk errors of the machine of CAS, then restart it',
    },
  );
}
