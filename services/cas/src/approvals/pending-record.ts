import * as v from 'valibot';
import { sessionSignature } from '@ensconce/api/signed-session';
import { storedCreator, storedHash } from '../sessions/session-record.ts';

/** An update that waits for signatures. */
export const pendingUpdate = v.strictObject({
  hash: storedHash,
  predecessor: v.nullable(storedHash),
  creator: storedCreator,
  /** YAML as proposed. */
  text: v.string(),
  /** RFC 3339. */
  proposed: v.string(),
  expires: v.string(),
  /** Key hash of who proposed it. */
  proposer: v.string(),
  signatures: v.array(sessionSignature),
  /** Key hashes of those who said no. */
  vetoed: v.array(v.string()),
});
export type PendingUpdate = v.InferOutput<typeof pendingUpdate>;

/** The pending updates of one session, table `pending-updates`, by the session's name. */
export const pendingRecord = v.strictObject({ updates: v.array(pendingUpdate) });
