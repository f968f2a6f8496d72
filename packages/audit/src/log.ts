import * as v from 'valibot';
import { equalBytes } from '@ensconce/base/bytes';
import type { CryptoProvider } from '@ensconce/x509/crypto';
import { LogChain } from './chain.ts';
import type { Checkpoint } from './checkpoint.ts';
import { endorsementSchema, openEndorsement, type AuditKey } from './endorsement.ts';
import { AuditError } from './errors.ts';
import type { TreeHead } from './proof.ts';
import { checkSignature, type AuditRecord } from './record.ts';
import { writes } from './write.ts';
import type { Sha256 } from './tree.ts';

/** Where somebody saw the log stand earlier: the number of a record and its hash, hex. */
export interface LogMark {
  readonly sequence: number;
  readonly hash: string;
}

export interface LogToJudge {
  readonly crypto: CryptoProvider;
  readonly sha256: Sha256;
  /** Complete lines, untrusted; of several files one after the other where the log was split. */
  readonly lines: AsyncIterable<Uint8Array>;
  readonly casIdentity: string;
  /** Known from CAS; otherwise the log's first start of CAS has it. */
  readonly key?: AuditKey | undefined;
  /** What was kept of this log before. */
  readonly kept?: Checkpoint | undefined;
  readonly last?: LogMark | undefined;
  /** Told of each record, before it is known that the log holds. */
  readonly onRecord?: (record: AuditRecord) => void;
}

/** Worst first. What each means to a user, and its exit code, is docs/reference/exit-codes.md's. */
export type LogProblem =
  | 'wrong-cas'
  | 'broken'
  | 'missing'
  | 'replaced'
  | 'rolled-back'
  | 'cut-at-end'
  | 'cut-at-start'
  | 'one-commit-lost'
  | 'end-unknown';

export interface LogJudgement {
  /** Undefined where everything holds. */
  readonly problem: { readonly kind: LogProblem; readonly reason: string } | undefined;
  /** The last record; undefined where nothing of the log can be believed. */
  readonly end: LogMark | undefined;
  /** Of a log that was read from its beginning; formats before 2 have none. */
  readonly head: TreeHead | undefined;
  readonly key: AuditKey | undefined;
}

const kinds: Readonly<Partial<Record<AuditError['code'], LogProblem>>> = {
  AUDIT_OTHER_CAS: 'wrong-cas',
  AUDIT_FORM: 'broken',
  AUDIT_SIGNATURE: 'broken',
  AUDIT_CHAIN: 'broken',
  AUDIT_MISSING: 'missing',
};

/** Judges a copy of an audit log without CAS: from CAS's identity to the audit key to every record. */
export async function judgeLog(log: LogToJudge): Promise<LogJudgement> {
  try {
    return await read(log);
  } catch (error) {
    const kind = error instanceof AuditError ? kinds[error.code] : undefined;
    if (kind === undefined || !(error instanceof AuditError)) throw error;
    const cause = error.cause instanceof Error ? `: ${error.cause.message}` : '';
    return {
      problem: { kind, reason: `${error.message}${cause}` },
      end: undefined,
      head: undefined,
      key: undefined,
    };
  }
}

async function read(log: LogToJudge): Promise<LogJudgement> {
  const chain = new LogChain(log.sha256);
  let { key } = log;
  let newest: AuditRecord | undefined;
  let rootAtKept: Uint8Array | undefined;
  let hashAtLast: string | undefined;
  for await (const { lines, signed } of writes(log.lines)) {
    // Cut short while it was written: like a torn line, never acknowledged.
    if (!signed) break;
    for (const line of lines) {
      const { record } = chain.add(line);
      if (record.event.type === 'CAS started') key = await keyIn(log, record, key);
      // The tree of a log without its beginning is another one.
      if (chain.first === 1 && chain.tree.size === log.kept?.size) rootAtKept = chain.tree.root();
      if (chain.sequence === log.last?.sequence) hashAtLast = chain.hash;
      newest = record;
      log.onRecord?.(record);
    }
  }
  if (newest === undefined)
    throw new AuditError('AUDIT_FORM', 'audit log: records expected, an empty file found');
  if (key === undefined)
    throw new AuditError(
      'AUDIT_SIGNATURE',
      'audit log: a start of CAS expected in it, which says what key signs it',
    );
  // Each record holds the hash of the one before, so this signature covers them all.
  await checkSignature(key, newest);
  const whole = chain.first === 1;
  return {
    problem: problemOf(log, chain, rootAtKept, hashAtLast),
    end: { sequence: chain.sequence, hash: chain.hash },
    head: whole && chain.format !== 1 ? { size: chain.tree.size, root: chain.tree.root() } : undefined,
    key,
  };
}

/** The key that a start of CAS names; it is the same as long as CAS lives. */
async function keyIn(log: LogToJudge, record: AuditRecord, key: AuditKey | undefined): Promise<AuditKey> {
  const { casKey, auditKey, endorsement } = record.event;
  const parsed = v.safeParse(endorsementSchema, { casKey, auditKey, endorsement });
  if (!parsed.success)
    throw new AuditError(
      'AUDIT_FORM',
      `audit log: record ${record.sequence}: an endorsement of the audit key expected`,
    );
  const found = await openEndorsement(log.crypto, parsed.output, log.casIdentity);
  if (key !== undefined && !equalBytes(found.raw, key.raw))
    throw new AuditError(
      'AUDIT_SIGNATURE',
      `audit log: record ${record.sequence}: the audit key as before expected, another one found`,
    );
  return found;
}

function problemOf(
  log: LogToJudge,
  chain: LogChain,
  rootAtKept: Uint8Array | undefined,
  hashAtLast: string | undefined,
): LogJudgement['problem'] {
  const { kept, last } = log;
  const seen = Math.max(kept?.size ?? 0, last?.sequence ?? 0);
  if (last !== undefined && hashAtLast !== undefined && hashAtLast !== last.hash) {
    return {
      kind: 'replaced',
      reason: `record ${last.sequence} with hash ${last.hash} expected, ${hashAtLast} found`,
    };
  }
  if (kept !== undefined && rootAtKept !== undefined && !equalBytes(rootAtKept, kept.root)) {
    return {
      kind: 'replaced',
      reason: `the ${kept.size} records of the checkpoint that was kept expected, others found`,
    };
  }
  const back = chain.lost.find((lost) => !lost.onlyAnnounced);
  if (back !== undefined) {
    return {
      kind: 'rolled-back',
      reason: `record ${back.sequence}: a start of CAS with commit ${back.expected} or later expected, ${back.found} found`,
    };
  }
  if (chain.sequence < seen) {
    return {
      kind: 'cut-at-end',
      reason: `${seen} records or more expected, as were seen before, ${chain.sequence} found`,
    };
  }
  if (chain.first !== 1) {
    return { kind: 'cut-at-start', reason: `record 1 expected first, ${chain.first} found` };
  }
  // What was shown with `last` has been looked into.
  const single = chain.lost.find((lost) => lost.sequence > (last?.sequence ?? 0));
  if (single !== undefined) {
    return {
      kind: 'one-commit-lost',
      reason:
        `record ${single.sequence}: a start of CAS with commit ${single.expected} expected, ${single.found} found: ` +
        'the change before it was announced and is not in the database',
    };
  }
  if (seen === 0 || (last === undefined && chain.format === 1)) {
    return {
      kind: 'end-unknown',
      reason: `nothing was seen of this log before that its end, record ${chain.sequence}, could be held against`,
    };
  }
  return undefined;
}
