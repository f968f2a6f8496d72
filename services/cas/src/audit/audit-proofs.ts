import * as v from 'valibot';
import { fromUtf8, toHex } from '@ensconce/base/bytes';
import { AuditError } from '@ensconce/audit/errors';
import { verifyConsistency, verifyInclusion, type TreeHead } from '@ensconce/audit/proof';
import { sessionPlace } from '@ensconce/audit/record';
import type { ProvedRecord } from '@ensconce/audit/session-history';
import { consistencyProof, inclusionProof, leafInput, rootOf, storedIndex } from '@ensconce/audit/tree';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { CasError } from '../errors.ts';
import type { AuditLog } from './audit-log.ts';
import { sha256 } from './open-log.ts';

/** Of records in one answer; one is always given. */
const pageBytes = 1_048_576;
const pageRecords = 100;

const lineMembers = v.looseObject({
  sequence: v.number(),
  previous: v.string(),
  sessions: v.array(sessionPlace),
});
type LineMembers = v.InferOutput<typeof lineMembers>;

/** Answers about the log with proofs. What it reads comes from an untrusted disk, and leaves only when it leads to the root in memory. */
export class AuditProofs {
  readonly #log: AuditLog;

  constructor(log: AuditLog) {
    this.#log = log;
  }

  /** That the tree of `first` records is what that of `size` records began with. */
  consistency(first: number, size: number): Promise<Uint8Array[]> {
    return this.#held(async () => {
      const [earlier, later] = [await this.tree(first), await this.tree(size)];
      if (first > size) throw outOfRange(`${first} records`, size);
      const proof = consistencyProof(this.#log.stored, first, size);
      await verifyConsistency(nodeCrypto, earlier, later, proof);
      return proof;
    });
  }

  /** That a record stands in the tree of `size` records. */
  inclusion(sequence: number, size: number): Promise<Uint8Array[]> {
    return this.#held(async () => {
      const head = await this.tree(size);
      if (sequence > size) throw outOfRange(`record ${sequence}`, size);
      const leaf = this.#log.stored.read(storedIndex(0, sequence - 1));
      return this.#include(head, sequence, leaf);
    });
  }

  /** Records one after the other, as many as fit into an answer. */
  async range(from: number, to: number): Promise<LineMembers[]> {
    const end = Math.min(to, this.#log.size);
    if (from > end) throw outOfRange(`record ${from}`, this.#log.size);
    const last = Math.min(this.#log.fitting(from, end, pageBytes), from + pageRecords - 1);
    return (await this.lines(from, last)).map((line) => parseLine(line));
  }

  /** Lines that CAS wrote, without line feeds: they hang together, and the last is proved to be in the log. */
  lines(from: number, to: number): Promise<Buffer[]> {
    return this.#held(async () => {
      const lines = await this.#log.lines(from, to);
      let leaf: Uint8Array | undefined;
      for (const line of lines) {
        if (leaf !== undefined && parseLine(line).previous !== toHex(leaf)) throw changed();
        leaf = sha256(leafInput(line));
      }
      await this.#include(this.#log.head, to, leaf as Uint8Array);
      return lines;
    });
  }

  /** Records of a session, newest first, from `sequence` back, with proofs for the tree of `size` records. */
  ofSession(session: string, sequence: number, size: number): Promise<ProvedRecord[]> {
    return this.#held(async () => {
      const head = await this.tree(size);
      const records: ProvedRecord[] = [];
      let bytes = 0;
      for (let at = sequence; at > 0 && records.length < pageRecords && bytes < pageBytes;) {
        if (at > size) throw outOfRange(`record ${at}`, size);
        const [line = Buffer.alloc(0)] = await this.#log.lines(at, at);
        const proof = await this.#include(head, at, sha256(leafInput(line)));
        const record = parseLine(line);
        const place = record.sessions.find((one) => one.session === session);
        // Other sessions' records are not for who may read this one.
        if (place === undefined)
          throw new CasError(
            'CAS_REQUEST_INVALID',
            `record ${at}: one that concerns session '${session}' expected`,
          );
        records.push({ record, proof: proof.map((hash) => Buffer.from(hash).toString('base64')) });
        bytes += line.length;
        at = place.previous;
      }
      return records;
    });
  }

  /** Whether the log begins with what a tree stands for that was signed earlier. */
  async continues(earlier: TreeHead): Promise<boolean> {
    const { head, stored } = this.#log;
    if (earlier.size === 0) return true;
    if (earlier.size > head.size) return false;
    try {
      await verifyConsistency(nodeCrypto, earlier, head, consistencyProof(stored, earlier.size, head.size));
      return true;
    } catch (error) {
      if (error instanceof AuditError) return false;
      throw error;
    }
  }

  /** The tree of the first `size` records. */
  async tree(size: number): Promise<TreeHead> {
    if (size < 1 || size > this.#log.size) throw outOfRange(`a tree of ${size} records`, this.#log.size);
    const tree = { size, root: rootOf(this.#log.stored, size) };
    if (!(await this.continues(tree))) throw changed();
    return tree;
  }

  async #include(head: TreeHead, sequence: number, leaf: Uint8Array): Promise<Uint8Array[]> {
    const proof = inclusionProof(this.#log.stored, sequence - 1, head.size);
    await verifyInclusion(nodeCrypto, head, sequence - 1, leaf, proof);
    return proof;
  }

  async #held<Result>(read: () => Promise<Result>): Promise<Result> {
    try {
      return await read();
    } catch (cause) {
      throw cause instanceof AuditError ? changed(cause) : cause;
    }
  }
}

function parseLine(line: Uint8Array): LineMembers {
  try {
    return v.parse(lineMembers, JSON.parse(fromUtf8(line)));
  } catch (cause) {
    throw changed(cause);
  }
}

function changed(cause?: unknown): CasError {
  return new CasError(
    'CAS_AUDIT_CORRUPT',
    'audit log: the records that CAS wrote expected on its disk, others found',
    {
      cause,
      hint: 'somebody changes the disk of CAS while it runs; keep the log as evidence',
    },
  );
}

function outOfRange(wanted: string, size: number): CasError {
  return new CasError('CAS_AUDIT_RANGE', `audit log: up to ${size} records expected, ${wanted} found`, {
    hint: 'ask for the newest checkpoint first',
  });
}
