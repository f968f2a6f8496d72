import * as v from 'valibot';
import { concatBytes, toHex, utf8 } from '@ensconce/base/bytes';
import { describeIssue } from '@ensconce/base/issue';
import { canonicalJson, JsonError, parseCanonicalJson, type Json } from '@ensconce/base/json';
import type { AuditKey } from './endorsement.ts';
import { AuditError } from './errors.ts';
import type { AuditEvent } from './event.ts';
import { leafInput, type Sha256 } from './tree.ts';

/** Bytes of a line without its line feed. */
export const lineLimit = 1_048_576;
/** What the first record names as its predecessor. */
export const firstPrevious = '0'.repeat(64);

const hash = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const number = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
const signature = v.pipe(v.string(), v.regex(/^[A-Za-z0-9+/]{86}==$/));
/** A verifier knows not every event that a newer CAS writes; what it knows, `auditEvent` reads. */
const event = v.looseObject({ type: v.string() });

/** A record's place among those of one session: they are numbered 1, 2, 3 …, and each names the one before. */
export const sessionPlace = v.strictObject({
  number,
  /** `sequence` of the session's record before this one, 0 in its first. */
  previous: count,
  session: v.string(),
});
export type SessionPlace = v.InferOutput<typeof sessionPlace>;

/** The members in the order of canonical JSON: `signature` stands last, so what is signed is the line without it. */
const members = {
  at: v.string(),
  commit: count,
  event,
  previous: hash,
  sequence: number,
  sessions: v.array(sessionPlace),
};

const record3 = v.strictObject({
  ...members,
  format: v.literal('ensconce-audit/3'),
  signature: v.optional(signature),
});

/** The format in which each record was signed; a log may go on in format 3. */
const record2 = v.strictObject({ ...members, format: v.literal('ensconce-audit/2'), signature });

/** The format before there were trees and sessions' numbers. */
const record1 = v.strictObject({
  format: v.literal('ensconce-audit/1'),
  sequence: number,
  time: v.string(),
  state: count,
  previous: hash,
  event,
  signature,
});

const anyRecord = v.variant('format', [record1, record2, record3]);

export type AuditFormat = 1 | 2 | 3;

/** A record that stands in a line of any format. */
export interface AuditRecord {
  readonly format: AuditFormat;
  readonly sequence: number;
  /** RFC 3339, UTC; the clock of the host of CAS. */
  readonly at: string;
  /** The commit of the database that the event announces or, for an event that changes nothing, that it follows. */
  readonly commit: number;
  /** Hash of the line before: {@link lineHash}. */
  readonly previous: string;
  readonly event: { readonly type: string; readonly [member: string]: unknown };
  readonly sessions: readonly SessionPlace[];
  /** Undefined where one of a later record that was written together with this one covers both. */
  readonly signature: RecordSignature | undefined;
}

export interface RecordSignature {
  /** 64 bytes. */
  readonly value: Uint8Array;
  readonly covers: Uint8Array;
}

/** What CAS puts into a record. */
export interface NewRecord {
  readonly at: string;
  readonly commit: number;
  readonly event: AuditEvent;
  readonly previous: string;
  readonly sequence: number;
  readonly sessions: readonly SessionPlace[];
}

/** The line of a record that another one is written together with, and signed for. */
export function encodeRecord(record: NewRecord): Uint8Array {
  const { at, commit, event: told, previous, sequence, sessions } = record;
  // In the order of canonical JSON, which is then written fastest; so do those who tell of frequent events.
  return canonicalJson({
    at,
    commit,
    event: told,
    format: 'ensconce-audit/3',
    previous,
    sequence,
    sessions,
  });
}

/** The line of the last of the records that are written together; `sign` is Ed25519 by the audit key. */
export function signRecord(line: Uint8Array, sign: (data: Uint8Array) => Uint8Array): Uint8Array {
  return concatBytes(line.subarray(0, -1), utf8(`,"signature":"${sign(line).toBase64()}"}`));
}

/** Whether a line of format 2 or 3 ends with a signature, which need not be right: the list of sessions stands last otherwise. */
export const isSigned = (line: Uint8Array): boolean => line.at(-2) === quote;
const quote = 0x22;

/** Bytes that a signature adds to a line: `,"signature":"…"`. */
export const signatureSize = 103;
const closing = utf8('}');

/** Reads an untrusted line, without its line feed; says nothing about signature and place. Throws `AUDIT_FORM`. */
export function parseRecord(line: Uint8Array): AuditRecord {
  let value: unknown;
  try {
    value = parseCanonicalJson(line, 'audit record', lineLimit);
  } catch (cause) {
    if (!(cause instanceof JsonError)) throw cause;
    throw new AuditError('AUDIT_FORM', cause.message, { cause: cause.cause });
  }
  const parsed = v.safeParse(anyRecord, value);
  if (!parsed.success) throw new AuditError('AUDIT_FORM', `audit record: ${describeIssue(parsed.issues[0])}`);
  const { output } = parsed;
  if (output.format !== 'ensconce-audit/1') {
    const { at, commit, previous, sequence, sessions } = output;
    return {
      format: output.format === 'ensconce-audit/2' ? 2 : 3,
      sequence,
      at,
      commit,
      previous,
      event: output.event,
      sessions,
      signature:
        output.signature === undefined
          ? undefined
          : {
              value: Uint8Array.fromBase64(output.signature),
              covers: concatBytes(line.subarray(0, -signatureSize - closing.length), closing),
            },
    };
  }
  const { signature: signatureText, ...signed } = output;
  return {
    format: 1,
    sequence: output.sequence,
    at: output.time,
    commit: output.state,
    previous: output.previous,
    event: output.event,
    sessions: [],
    signature: {
      value: Uint8Array.fromBase64(signatureText),
      covers: canonicalJson(signed as unknown as Json),
    },
  };
}

/** The hash by which the next record and the tree know a line: that of a leaf, in format 1 the plain one. */
export function lineHash(sha256: Sha256, line: Uint8Array, format: AuditFormat): string {
  return toHex(sha256(format === 1 ? line : leafInput(line)));
}

/** Holds the signature of a record. Throws `AUDIT_SIGNATURE`, also where there is none. */
export async function checkSignature(key: AuditKey, { sequence, signature }: AuditRecord): Promise<void> {
  if (signature !== undefined && (await key.verify(signature.value, signature.covers))) return;
  throw new AuditError(
    'AUDIT_SIGNATURE',
    `audit log: record ${sequence}: a signature by the audit key of CAS ${key.casIdentity} expected, ` +
      `${signature === undefined ? 'none' : 'another one'} found`,
  );
}
