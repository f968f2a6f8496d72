import { toHex } from '@ensconce/base/bytes';
import { checkContinues, openCheckpoint, type Checkpoint } from '@ensconce/audit/checkpoint';
import { openEndorsement, type AuditKey, type Endorsement } from '@ensconce/audit/endorsement';
import type { AuditRecord } from '@ensconce/audit/record';
import { proofOf, SessionHistory, type ProvedRecord } from '@ensconce/audit/session-history';
import type { CryptoProvider } from '@ensconce/x509/crypto';
import { call } from './call.ts';
import type { CasConnection } from './connection.ts';
import { ApiError } from './errors.ts';
import { routes } from './routes.ts';
import type { AttestAnswer } from './schema.ts';

/** A checkpoint with what vouches for its signature: all that has to be kept of a CAS's log. */
export interface SeenLog {
  readonly key: AuditKey;
  readonly endorsement: Endorsement;
  readonly checkpoint: Checkpoint;
}

/**
 * The newest checkpoint of the CAS at the other end, which continues the one kept. Throws `AUDIT_FORKED` where it does not, and `AUDIT_OTHER_CAS`,
 * `AUDIT_SIGNATURE` or `AUDIT_FORM` for what is no checkpoint of this CAS.
 */
export async function newestCheckpoint(
  crypto: CryptoProvider,
  cas: CasConnection,
  kept: Checkpoint | undefined,
): Promise<SeenLog> {
  const answer = await call(cas, routes.readCheckpoint, {});
  const key = await openEndorsement(crypto, answer.endorsement, cas.identity);
  const checkpoint = await openCheckpoint(crypto, key, answer.checkpoint);
  if (kept !== undefined) {
    // A log that is shorter, or as long, is not continued by any proof.
    const asked = kept.size > 0 && kept.size < checkpoint.size;
    const proof = asked ? await consistency(cas, kept.size, checkpoint.size) : [];
    await checkContinues(crypto, kept, checkpoint, proof);
  }
  return { key, endorsement: answer.endorsement, checkpoint };
}

export async function consistency(cas: CasConnection, first: number, size: number): Promise<Uint8Array[]> {
  const query = { first: String(first), size: String(size) };
  return proofOf((await call(cas, routes.proveConsistency, { query })).proof);
}

export async function inclusion(cas: CasConnection, sequence: number, size: number): Promise<Uint8Array[]> {
  const query = { sequence: String(sequence), size: String(size) };
  return proofOf((await call(cas, routes.proveInclusion, { query })).proof);
}

/** Evidence about the audit key, bound to this connection and to `nonce` (32 bytes). */
export function attestAuditKey(cas: CasConnection, nonce: Uint8Array): Promise<AttestAnswer> {
  return call(cas, routes.attestAuditKey, { body: { nonce: toHex(nonce) } });
}

/** All that CAS's log says about one session: complete, in the tree that {@link checkpoint} stands for. */
export interface SessionRecords {
  readonly checkpoint: SeenLog;
  /** Newest first. */
  readonly records: readonly AuditRecord[];
}

/**
 * Every record that concerns a session, proved to be all of them in the log whose checkpoint continues `kept`. Throws what
 * {@link newestCheckpoint} throws, and `AUDIT_INCOMPLETE`, `AUDIT_PROOF` for a list that is not whole.
 */
export async function sessionRecords(
  crypto: CryptoProvider,
  cas: CasConnection,
  session: string,
  kept: Checkpoint | undefined,
): Promise<SessionRecords> {
  const parameters = { name: session };
  const first = await call(cas, routes.readSessionRecords, { parameters });
  if (first.statement === undefined)
    throw new ApiError('API_ANSWER', 'CAS: a statement on the session expected, none found');
  // Asked for after the statement, so that it covers what the statement is about.
  const seen = await newestCheckpoint(crypto, cas, kept);
  const history = await SessionHistory.open(crypto, seen.key, session, first.statement);
  const stated = history.head.size;
  const proof =
    stated > 0 && stated < seen.checkpoint.size ? await consistency(cas, stated, seen.checkpoint.size) : [];
  await history.checkWithin(seen.checkpoint, proof);
  const records: AuditRecord[] = [];
  let page: readonly ProvedRecord[] = first.records;
  for (;;) {
    for (const record of page) records.push(await history.add(record));
    if (history.complete) return { checkpoint: seen, records };
    if (page.length === 0)
      throw new ApiError('API_ANSWER', 'CAS: more records of the session expected, none found');
    const query = { before: String(history.next), size: String(stated) };
    page = (await call(cas, routes.readSessionRecords, { parameters, query })).records;
  }
}
