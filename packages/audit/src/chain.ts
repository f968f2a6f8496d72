import * as v from 'valibot';
import { concatBytes, fromHex, fromUtf8 } from '@ensconce/base/bytes';
import { AuditError } from './errors.ts';
import { announces, auditEvent, sessionsOf, type AuditEvent } from './event.ts';
import {
  firstPrevious,
  lineHash,
  parseRecord,
  sessionPlace,
  type AuditFormat,
  type AuditRecord,
  type SessionPlace,
} from './record.ts';
import { GrowingTree, type Sha256 } from './tree.ts';

/** Where a session's records stand so far. */
export interface SessionHead {
  readonly count: number;
  /** `sequence` of the newest. */
  readonly last: number;
}

/** What a database that was put back looks like in the log: at a start of CAS, commits that were there before are not. */
export interface LostCommits {
  /** The record of the start. */
  readonly sequence: number;
  readonly expected: number;
  readonly found: number;
  /** The change was announced by the last record before: a crash between record and commit looks the same. */
  readonly onlyAnnounced: boolean;
}

const knownMembers = v.object({ previous: v.string(), sessions: v.array(sessionPlace) });

/** A log as it is read, line after line: holds number, chain, form and the sessions' numbers of each record, and grows the tree. */
export class LogChain {
  readonly #sha256: Sha256;
  readonly #heads = new Map<string, SessionHead>();
  /** Read from the log's first record on; empty in format 1. */
  readonly tree: GrowingTree;
  /** `sequence` of the first record read; undefined in an empty log. */
  first: number | undefined;
  sequence = 0;
  hash = firstPrevious;
  /** Of the newest record that was read in full. */
  format: AuditFormat | undefined;
  /** The oldest commit that the database can be at. */
  oldestCommit = 0;
  readonly lost: LostCommits[] = [];
  #announced = 0;

  constructor(sha256: Sha256) {
    this.#sha256 = sha256;
    this.tree = new GrowingTree(sha256);
  }

  /** Undefined where no record so far concerns that session. */
  head(session: string): SessionHead | undefined {
    return this.#heads.get(session);
  }

  get heads(): ReadonlyMap<string, SessionHead> {
    return this.#heads;
  }

  /**
   * Takes the next line, untrusted; returns its record and the hashes that it adds to the tree. Throws `AUDIT_FORM`, `AUDIT_CHAIN`,
   * `AUDIT_MISSING`. Signatures are left to the caller: one covers all records before it.
   */
  add(line: Uint8Array): { readonly record: AuditRecord; readonly hashes: readonly Uint8Array[] } {
    const record = this.#parse(line);
    const { sequence, previous } = record;
    const expected = this.sequence + 1;
    if (this.first === undefined) {
      if (sequence === 1 && previous !== firstPrevious) throw this.#broken('no predecessor', 'one');
    } else if (sequence > expected) {
      throw new AuditError(
        'AUDIT_MISSING',
        `audit log: record ${expected} expected after record ${this.sequence}, ${sequence} found`,
      );
    } else if (sequence < expected) {
      throw this.#broken('the next number', String(sequence));
    } else if (previous !== this.hash) {
      throw this.#broken(`predecessor ${this.hash}`, previous);
    }
    const format = this.format ?? record.format;
    const goesOn = record.format === format || (format === 2 && record.format === 3);
    if (!goesOn) throw this.#broken(`format ${format}`, String(record.format));
    this.format = record.format;
    const known = v.safeParse(auditEvent, record.event);
    if (record.format !== 1) this.#checkPlaces(record, known.success ? known.output : undefined);
    this.#countCommits(record);
    this.first ??= sequence;
    const hashes = this.#advance(line, sequence, record.sessions);
    return { record, hashes };
  }

  /**
   * As {@link add}, for a line up to one whose hash is trusted: only the chain and the sessions' numbers are looked at, which is several
   * times as fast.
   */
  addKnown(line: Uint8Array): readonly Uint8Array[] {
    const sequence = this.sequence + 1;
    let known: v.InferOutput<typeof knownMembers>;
    try {
      known = v.parse(knownMembers, JSON.parse(fromUtf8(line)));
    } catch (cause) {
      throw new AuditError('AUDIT_FORM', `audit log: record ${sequence} is unreadable`, { cause });
    }
    if (known.previous !== this.hash) throw this.#broken(`predecessor ${this.hash}`, known.previous);
    this.first ??= sequence;
    return this.#advance(line, sequence, known.sessions);
  }

  #parse(line: Uint8Array): AuditRecord {
    try {
      return parseRecord(line);
    } catch (cause) {
      if (!(cause instanceof AuditError)) throw cause;
      throw new AuditError(
        'AUDIT_FORM',
        `audit log: record ${this.sequence + 1}: one of the documented form expected`,
        { cause },
      );
    }
  }

  #advance(line: Uint8Array, sequence: number, sessions: readonly SessionPlace[]): readonly Uint8Array[] {
    for (const { session, number } of sessions) this.#heads.set(session, { count: number, last: sequence });
    this.sequence = sequence;
    this.hash = lineHash(this.#sha256, line, this.format ?? 3);
    return this.format === 1 ? [] : this.tree.append(fromHex(this.hash));
  }

  #checkPlaces({ sequence, sessions: places }: AuditRecord, event: AuditEvent | undefined): void {
    const names = places.map(({ session }) => session);
    if (event !== undefined && JSON.stringify(names) !== JSON.stringify(sessionsOf(event)))
      throw this.#broken('the sessions that the event concerns', names.join(', ') || 'none');
    if (new Set(names).size !== names.length) throw this.#broken('each session once', names.join(', '));
    for (const { session, number, previous } of places) {
      const head = this.#heads.get(session);
      // In a log without its beginning, what a session's first record continues is not known.
      if (head === undefined && (this.first ?? sequence) > 1) continue;
      const { count, last } = head ?? { count: 0, last: 0 };
      if (number !== count + 1 || previous !== last)
        throw this.#broken(
          `number ${count + 1} of session '${session}' after record ${last}`,
          `${number} after ${previous}`,
        );
    }
  }

  #countCommits({ sequence, commit, event: { type } }: AuditRecord): void {
    if (type === 'CAS started') {
      const expected = Math.max(this.oldestCommit, this.#announced);
      if (commit < expected)
        this.lost.push({ sequence, expected, found: commit, onlyAnnounced: commit >= this.oldestCommit });
    }
    // An event of a newer CAS may announce its commit.
    const follows = !announces(type) && v.safeParse(knownType, type).success;
    this.oldestCommit = Math.max(this.oldestCommit, follows ? commit : commit - 1);
    if (announces(type)) this.#announced = Math.max(this.#announced, commit);
    // What was lost is lost: later records count from where that start began.
    if (type === 'CAS started') this.#announced = commit;
  }

  #broken(expected: string, found: string): AuditError {
    return new AuditError(
      'AUDIT_CHAIN',
      `audit log: record ${this.sequence + 1}: ${expected} expected, ${found} found`,
    );
  }
}

const knownType = v.picklist(
  auditEvent.options.flatMap(({ entries: { type } }) => ('literal' in type ? [type.literal] : type.options)),
);

/** Complete lines of a file, without their line feed; returns how many bytes follow the last. Throws `AUDIT_FORM` for a line that is too long. */
export async function* linesOf(
  chunks: AsyncIterable<Uint8Array>,
  limit: number,
): AsyncGenerator<Uint8Array, number, undefined> {
  let rest: Uint8Array = new Uint8Array();
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      const part = chunk.subarray(start, end);
      yield rest.length === 0 ? part : concatBytes(rest, part);
      rest = new Uint8Array();
      start = end + 1;
    }
    const left = chunk.subarray(start);
    rest = rest.length === 0 ? Uint8Array.from(left) : concatBytes(rest, left);
    if (rest.length > limit)
      throw new AuditError(
        'AUDIT_FORM',
        `audit log: lines of at most ${limit} bytes expected, a longer one found`,
      );
  }
  return rest.length;
}
