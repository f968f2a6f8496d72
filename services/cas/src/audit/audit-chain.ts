import { createHash, verify, type KeyObject } from 'node:crypto';
import { createReadStream } from 'node:fs';
import * as v from 'valibot';
import { toHex } from '@ensconce/base/bytes';
import { parseCanonicalJson, canonicalJson } from '@ensconce/base/json';
import { CasError } from '../errors.ts';
import { oldestStateAfter, signedAuditRecord, type SignedAuditRecord } from './audit-event.ts';

export const lineLimit = 262_144;
export const firstPrevious = '0'.repeat(64);

export const lineHash = (line: Uint8Array): string => createHash('sha256').update(line).digest('hex');

/** What a whole log that holds together amounts to. */
export interface AuditChain {
  /** Sequence number of the last record, 0 in an empty log. */
  readonly sequence: number;
  /** Hash of the last line. */
  readonly hash: string;
  /** Bytes of complete lines; what follows them is a torn write that was never acknowledged. */
  readonly size: number;
  /** The oldest database commit that is consistent with the log. */
  readonly oldestState: number;
  /** Hash of the line with the sequence number asked for. */
  readonly anchorHash: string | undefined;
}

function broken(path: string, sequence: number, expected: string, found: string): CasError {
  return new CasError(
    'CAS_AUDIT_CORRUPT',
    `audit log ${path}: record ${sequence}: ${expected} expected, ${found} found`,
    { hint: 'the log was changed after it was written; keep it as evidence and find out who had access' },
  );
}

/**
 * Reads a whole log from an untrusted disk and holds its numbers, its chain and its signatures. Signatures are checked
 * from record `signaturesFrom` on; those before are covered by the chain to a record whose hash is known.
 */
export async function readAuditChain(
  path: string,
  key: KeyObject,
  options: { readonly anchor?: number | undefined; readonly signaturesFrom?: number } = {},
): Promise<AuditChain> {
  let sequence = 0;
  let hash = firstPrevious;
  let size = 0;
  let oldestState = 0;
  let anchorHash: string | undefined;
  for await (const line of lines(path)) {
    const record = parseLine(line, path, sequence + 1);
    if (record.sequence !== sequence + 1)
      throw broken(path, sequence + 1, 'the next number', String(record.sequence));
    if (record.previous !== hash) throw broken(path, record.sequence, `predecessor ${hash}`, record.previous);
    if (record.sequence >= (options.signaturesFrom ?? 1) && !signatureHolds(record, key)) {
      throw broken(path, record.sequence, 'a signature by the audit key', 'another one');
    }
    sequence = record.sequence;
    hash = lineHash(line);
    size += line.length + 1;
    oldestState = Math.max(oldestState, oldestStateAfter(record));
    if (sequence === options.anchor) anchorHash = hash;
  }
  return { sequence, hash, size, oldestState, anchorHash };
}

function parseLine(line: Uint8Array, path: string, sequence: number): SignedAuditRecord {
  let value: unknown;
  try {
    value = parseCanonicalJson(line, 'audit record', lineLimit);
  } catch (cause) {
    throw new CasError('CAS_AUDIT_CORRUPT', `audit log ${path}: record ${sequence} is unreadable`, { cause });
  }
  const parsed = v.safeParse(signedAuditRecord, value);
  if (!parsed.success)
    throw broken(path, sequence, 'a record of the documented form', parsed.issues[0].message);
  return parsed.output;
}

function signatureHolds(signed: SignedAuditRecord, key: KeyObject): boolean {
  const { signature, ...record } = signed;
  return verify(null, canonicalJson(record), key, Buffer.from(signature, 'base64'));
}

/** Complete lines of a file, without their line feed. */
async function* lines(path: string): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10, start)) {
      yield rest.subarray(start, end);
      start = end + 1;
    }
    rest = rest.subarray(start);
    if (rest.length > lineLimit) {
      throw new CasError(
        'CAS_AUDIT_CORRUPT',
        `audit log ${path}: lines of at most ${lineLimit} bytes expected, ${toHex(rest.subarray(0, 4))}… is longer`,
      );
    }
  }
}
