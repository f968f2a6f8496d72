import * as v from 'valibot';
import { canonicalJson, type Json } from '@ensconce/base/json';
import type { CryptoProvider } from '@ensconce/x509/crypto';
import { treeHeadOf, type Checkpoint } from './checkpoint.ts';
import type { AuditKey } from './endorsement.ts';
import { AuditError, ForkedLogError } from './errors.ts';
import { openNote } from './note.ts';
import { leafHash, longestProof, verifyConsistency, verifyInclusion, type TreeHead } from './proof.ts';
import { checkSignature, parseRecord, type AuditRecord } from './record.ts';

/** The name under which CAS signs how many records concern a session; never that of a checkpoint. */
export const statementName = (origin: string): string => `${origin}/session`;

export interface SessionCount {
  readonly session: string;
  /** Records of the session in the tree. */
  readonly count: number;
  /** `sequence` of the newest of them, 0 where there is none. */
  readonly last: number;
}

/** Lines 1 to 3 as in a checkpoint, then session, count, and the newest record. Session names have no line feeds. */
export function statementText(
  origin: string,
  head: TreeHead,
  { session, count, last }: SessionCount,
): string {
  if (/[\p{Cc}]/u.test(session)) throw new RangeError('session: a name without control characters expected');
  return `${statementName(origin)}\n${head.size}\n${head.root.toBase64()}\n${session}\n${count}\n${last}\n`;
}

const proofSchema = v.pipe(
  v.array(v.pipe(v.string(), v.regex(/^[A-Za-z0-9+/]{43}=$/, 'a hash in base64 expected'))),
  v.maxLength(longestProof),
);

/** A record with the proof that it is in a tree. */
export const provedRecord = v.strictObject({
  /** The line as JSON; its canonical form is the line again. */
  record: v.looseObject({ sequence: v.number() }),
  /** SHA-256 hashes, base64, lowest first. */
  proof: proofSchema,
});
export type ProvedRecord = v.InferOutput<typeof provedRecord>;
export { proofSchema };

export const proofOf = (hashes: readonly string[]): Uint8Array[] =>
  hashes.map((hash) => Uint8Array.fromBase64(hash));

function lineOf(record: unknown): Uint8Array {
  try {
    return canonicalJson(record as Json);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new AuditError('AUDIT_FORM', 'audit record: JSON with a canonical form expected', { cause });
  }
}

/** Holds a record and its proof, both untrusted, against a tree that somebody trusted vouches for. */
export async function openProvedRecord(
  crypto: CryptoProvider,
  key: AuditKey,
  head: TreeHead,
  { record: value, proof }: ProvedRecord,
): Promise<AuditRecord> {
  const line = lineOf(value);
  const record = parseRecord(line);
  const leaf = await leafHash(crypto, line);
  await verifyInclusion(crypto, head, record.sequence - 1, leaf, proofOf(proof));
  // Others were written together with one that is signed; that they are in the tree proves them.
  if (record.signature !== undefined) await checkSignature(key, record);
  return record;
}

/**
 * All records that concern one session, newest first, as CAS answers them: untrusted, and complete only when {@link complete} says so. CAS
 * signed how many there are in the tree; each names its number and the one before, and is proved to be in the tree.
 */
export class SessionHistory {
  readonly #crypto: CryptoProvider;
  readonly #key: AuditKey;
  readonly #note: string;
  readonly head: TreeHead;
  readonly session: string;
  readonly count: number;
  #next: { readonly number: number; readonly sequence: number };

  private constructor(
    crypto: CryptoProvider,
    key: AuditKey,
    statement: { readonly note: string; readonly head: TreeHead; readonly count: SessionCount },
  ) {
    const { note, head, count: stated } = statement;
    this.#crypto = crypto;
    this.#key = key;
    this.#note = note;
    this.head = head;
    this.session = stated.session;
    this.count = stated.count;
    this.#next = { number: stated.count, sequence: stated.last };
  }

  /** Reads CAS's untrusted statement about a session. Throws `AUDIT_SIGNATURE`, `AUDIT_FORM`, `AUDIT_INCOMPLETE`. */
  static async open(
    crypto: CryptoProvider,
    key: AuditKey,
    session: string,
    note: string,
  ): Promise<SessionHistory> {
    const text = await openNote(crypto, key, statementName(key.origin), note);
    const lines = text.slice(0, -1).split('\n');
    const [, , , name, countText = '', lastText = ''] = lines;
    const [count, last] = [Number(countText), Number(lastText)];
    const digits = /^\d{1,16}$/;
    if (lines.length !== 6 || !digits.test(countText) || !digits.test(lastText))
      throw new AuditError('AUDIT_FORM', 'statement on a session: six lines of the documented form expected');
    if (name !== session)
      throw new AuditError(
        'AUDIT_INCOMPLETE',
        `statement on session '${session}' expected, on another one found`,
      );
    const head = treeHeadOf(lines);
    if (last > head.size || count > last || (count === 0) !== (last === 0))
      throw new AuditError('AUDIT_FORM', 'statement on a session: numbers that fit together expected');
    return new SessionHistory(crypto, key, { note, head, count: { session, count, last } });
  }

  /** Holds the tree that the statement is about against a checkpoint, by CAS's untrusted proof. Throws `AUDIT_FORKED`. */
  async checkWithin(checkpoint: Checkpoint, proof: readonly Uint8Array[]): Promise<void> {
    const notes = [this.#note, checkpoint.note];
    if (this.head.size > checkpoint.size) {
      const found = `a statement about up to ${checkpoint.size} records expected, about ${this.head.size} found`;
      throw new ForkedLogError(found, notes);
    }
    if (this.head.size === 0) return;
    try {
      await verifyConsistency(this.#crypto, this.head, checkpoint, proof);
    } catch (cause) {
      if (!(cause instanceof AuditError)) throw cause;
      throw new ForkedLogError('a statement about this log expected, about another one found', notes, cause);
    }
  }

  /** Whether all records were given. */
  get complete(): boolean {
    return this.#next.number === 0;
  }

  /** `sequence` of the record that comes next; 0 when all were given. */
  get next(): number {
    return this.#next.sequence;
  }

  /** Takes the next older record. Throws `AUDIT_INCOMPLETE` where it is another one, `AUDIT_PROOF` where it is not in the tree. */
  async add(proved: ProvedRecord): Promise<AuditRecord> {
    const record = await openProvedRecord(this.#crypto, this.#key, this.head, proved);
    const place = record.sessions.find(({ session }) => session === this.session);
    const { number, sequence } = this.#next;
    if (this.complete || record.sequence !== sequence || place?.number !== number) {
      throw new AuditError(
        'AUDIT_INCOMPLETE',
        `session '${this.session}': record ${sequence} as its number ${number} expected, ` +
          `record ${record.sequence} as ${place === undefined ? 'none of it' : `number ${place.number}`} found`,
      );
    }
    if ((place.previous === 0) !== (number === 1) || place.previous >= sequence) {
      throw new AuditError(
        'AUDIT_INCOMPLETE',
        `session '${this.session}': number ${number - 1} expected before record ${sequence}, record ${place.previous} found`,
      );
    }
    this.#next = { number: number - 1, sequence: place.previous };
    return record;
  }
}
