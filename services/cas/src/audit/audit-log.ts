import { sign, type KeyObject } from 'node:crypto';
import { write } from 'node:fs';
import { constants, open, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { toHex } from '@ensconce/base/bytes';
import type { SessionHead } from '@ensconce/audit/chain';
import { sessionsOf, type AuditEvent } from '@ensconce/audit/event';
import type { TreeHead } from '@ensconce/audit/proof';
import {
  encodeRecord,
  lineLimit,
  signatureSize,
  signRecord,
  type SessionPlace,
} from '@ensconce/audit/record';
import { leafInput, type GrowingTree, type StoredTree } from '@ensconce/audit/tree';
import { writeBytes, writeRecords } from '@ensconce/audit/write';
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
  readonly event: AuditEvent;
  readonly commit: number;
  readonly at: string;
  readonly written: (position: AuditPosition) => void;
  readonly failed: (error: unknown) => void;
}

/** A record as it goes to the disk. */
class Line {
  readonly bytes: Uint8Array;
  readonly sequence: number;
  readonly places: readonly SessionPlace[];
  readonly waiting: Waiting;
  #leaf: Uint8Array | undefined;

  constructor(bytes: Uint8Array, sequence: number, places: readonly SessionPlace[], waiting: Waiting) {
    this.bytes = bytes;
    this.sequence = sequence;
    this.places = places;
    this.waiting = waiting;
  }

  /** The hash in the tree. */
  get leaf(): Uint8Array {
    return (this.#leaf ??= sha256(leafInput(this.bytes)));
  }

  signed(signing: (data: Uint8Array) => Uint8Array): Line {
    return new Line(signRecord(this.bytes, signing), this.sequence, this.places, this.waiting);
  }
}

/**
 * The audit log: JSON lines, numbered, each with the hash of the one before, signed, and a tree over them (docs/formats/audit-log.md).
 * Records that wait together share one way to the disk and one signature.
 */
export class AuditLog {
  readonly path: string;
  readonly #options: AuditLogOptions;
  readonly #file: FileHandle;
  /** All of what is on the disk. */
  readonly #heads: Map<string, SessionHead>;
  readonly #durable: GrowingTree;
  readonly #tree: TreeFile;
  #size: number;
  #sequence: number;
  #hash: string;
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

  /** The last record on the disk. */
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
    const at = this.#options.now().toISOString();
    return new Promise((written, failed) => {
      this.#queue.push({ event, commit, at, written, failed });
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
      const batch = this.#encode();
      if (this.#queue.length > 0) this.#urgent = true;
      if (batch.length === 0) continue;
      try {
        if (this.#failure !== undefined) throw this.#failure;
        const began = performance.now();
        const lines = Buffer.concat(batch.flatMap(({ bytes }) => [bytes, lineFeed]));
        await new Promise<void>((resolve, reject) => {
          writeWhole(this.#file.fd, lines, (error) => (error === null ? resolve() : reject(error)));
        });
        this.onSync(performance.now() - began);
        for (const line of batch) this.#settle(line);
        for (const { leaf, sequence, waiting } of batch) waiting.written({ sequence, hash: toHex(leaf) });
        this.onGrowth();
      } catch (error) {
        // What is on the disk is unknown now, so the chain cannot go on before a restart has read it again.
        this.#failure = error;
        for (const { waiting } of batch) waiting.failed(writeFailed(error));
      }
    }
    this.#writing = undefined;
  }

  /** Takes from the queue what is written together, and makes its lines, the last one signed. What cannot be a record is refused. */
  #encode(): Line[] {
    const lines: Line[] = [];
    const heads = new Map<string, SessionHead>();
    let size = 0;
    let taken = 0;
    for (const waiting of this.#queue) {
      if (taken === writeRecords || size > writeBytes - lineLimit) break;
      taken++;
      const { event, commit, at } = waiting;
      const sequence = this.#sequence + lines.length + 1;
      const before = lines.at(-1);
      const previous = before === undefined ? this.#hash : toHex(before.leaf);
      const places = sessionsOf(event).map((session) => {
        const { count, last } = heads.get(session) ?? this.sessionHead(session);
        return { number: count + 1, previous: last, session };
      });
      try {
        const bytes = encodeRecord({ at, commit, event, previous, sequence, sessions: places });
        if (bytes.length > unsignedLimit)
          throw new RangeError(`audit record: ${unsignedLimit} bytes at most, ${bytes.length} found`);
        lines.push(new Line(bytes, sequence, places, waiting));
        size += bytes.length;
        for (const { session, number } of places) heads.set(session, { count: number, last: sequence });
      } catch (error) {
        waiting.failed(error);
      }
    }
    this.#queue = this.#queue.slice(taken);
    const last = lines.pop();
    if (last !== undefined) lines.push(last.signed((data) => sign(null, data, this.#options.key)));
    return lines;
  }

  /** What is on the disk counts for proofs and for the numbers that CAS states. */
  #settle({ bytes, leaf, sequence, places }: Line): void {
    this.#size += bytes.length + lineFeed.length;
    this.#tree.append(this.#size, this.#durable.append(leaf));
    this.#sequence = sequence;
    this.#hash = toHex(leaf);
    for (const { session, number } of places) this.#heads.set(session, { count: number, last: sequence });
  }
}

// A write comes back when it is on the disk: one way to the disk for each batch instead of two.
const { O_RDWR, O_CREAT, O_APPEND, O_DSYNC } = constants;
const appendDurably = O_RDWR | O_CREAT | O_APPEND | O_DSYNC;
const lineFeed = Buffer.from('\n');
/** Any record may have to be the one that is signed. */
const unsignedLimit = lineLimit - signatureSize;

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
