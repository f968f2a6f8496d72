import { createPublicKey, hash, verify, type KeyObject } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { LogChain, linesOf } from '@ensconce/audit/chain';
import { AuditError } from '@ensconce/audit/errors';
import { lineLimit, parseRecord, type AuditRecord } from '@ensconce/audit/record';
import type { Sha256 } from '@ensconce/audit/tree';
import { writes } from '@ensconce/audit/write';
import { CasError } from '../errors.ts';
import type { AuditPosition } from '../store/store.ts';
import { TreeFile } from './tree-file.ts';

export const sha256: Sha256 = (data) => hash('sha256', data, 'buffer');

/** A log that was read and holds together. */
export interface OpenedLog {
  readonly chain: LogChain;
  readonly tree: TreeFile;
  /** Bytes of whole writes; what follows them was torn and never acknowledged. */
  readonly size: number;
}

export interface LogToOpen {
  readonly path: string;
  /** Where {@link TreeFile} may write. */
  readonly folder: string;
  /** Ed25519 private key. */
  readonly key: KeyObject;
  /** Where the database says that the log stood. */
  readonly anchor: AuditPosition | undefined;
  /** Number of the database's last commit. */
  readonly commit: number;
}

/**
 * Reads a log from an untrusted disk and holds it against itself, the audit key and the database: up to the record that the database knows
 * by the chain of hashes, from there on in full.
 */
export async function openLog(log: LogToOpen): Promise<OpenedLog> {
  const { path, anchor } = log;
  const tree = new TreeFile(log.folder);
  try {
    const chain = new LogChain(sha256);
    let size = 0;
    let anchored: string | undefined;
    let newest: AuditRecord | undefined;
    const lines = linesOf(createReadStream(path, { highWaterMark: 1_048_576 }), lineLimit);
    for await (const write of writes(lines)) {
      for (const line of write.lines) {
        if (chain.sequence === 0) checkFormat(path, line);
        const known = chain.sequence < (anchor?.sequence ?? 0);
        if (!known && !write.signed) break;
        size += line.length + 1;
        if (known) {
          tree.append(size, chain.addKnown(line));
        } else {
          const { record, hashes } = chain.add(line);
          tree.append(size, hashes);
          newest = record;
        }
        if (chain.sequence === anchor?.sequence) anchored = chain.hash;
      }
    }
    if (anchor !== undefined && anchor.sequence > 0 && anchored !== anchor.hash) {
      throw new CasError(
        'CAS_AUDIT_CORRUPT',
        `audit log ${path}: record ${anchor.sequence} with hash ${anchor.hash} expected, ` +
          `${anchored ?? `a log of ${chain.sequence} records`} found`,
        { hint: 'the log was cut or replaced; put back the one that belongs to this database' },
      );
    }
    // The chain hangs on this one: what it signs holds the hash of all before it.
    if (newest !== undefined && !isSignedBy(log.key, newest))
      throw corrupt(
        path,
        `record ${newest.sequence}: a signature by the audit key expected, another one found`,
      );
    if (chain.oldestCommit > log.commit) {
      throw new CasError(
        'CAS_STATE_ROLLED_BACK',
        `database: commit ${chain.oldestCommit} or later expected, as the audit log says, ${log.commit} found`,
        { hint: 'an older copy of the database was put back; restore the newest one' },
      );
    }
    return { chain, tree, size };
  } catch (error) {
    tree.close();
    if (error instanceof AuditError) throw corrupt(path, error.message, error.cause);
    throw error;
  }
}

function isSignedBy(key: KeyObject, { signature }: AuditRecord): boolean {
  return signature !== undefined && verify(null, signature.covers, createPublicKey(key), signature.value);
}

/** The first line says whether there is a tree over a log. */
function checkFormat(path: string, line: Uint8Array): void {
  let format: number;
  try {
    ({ format } = parseRecord(line));
  } catch (cause) {
    throw corrupt(path, 'record 1: one of the documented form expected', cause);
  }
  if (format !== 1) return;
  throw new CasError(
    'CAS_AUDIT_FORMAT',
    `audit log ${path}: format ensconce-audit/2 or 3 expected, ensconce-audit/${format} found`,
    {
      hint:
        'this state is of an earlier version under development: keep the folder (ensconce cas verify-audit-log still reads its log), ' +
        'begin with an empty one and create the sessions again',
    },
  );
}

function corrupt(path: string, reason: string, cause?: unknown): CasError {
  return new CasError('CAS_AUDIT_CORRUPT', `audit log ${path}: ${reason}`, {
    cause,
    hint: 'the log was changed after it was written; keep it as evidence and find out who had access',
  });
}
