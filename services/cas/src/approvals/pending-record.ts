import * as v from 'valibot';
import { sessionSignature } from '@ensconce/api/signed-session';
import { storedCreator, storedHash, storedId } from '../sessions/session-record.ts';

const waiting = {
  /** Of the version, or of the deletion. */
  hash: storedHash,
  /** RFC 3339. */
  proposed: v.string(),
  expires: v.string(),
  /** Key hash of who proposed it. */
  proposer: v.string(),
  signatures: v.array(sessionSignature),
  /** Key hashes of those who said no. */
  vetoed: v.array(v.string()),
};

/** A version that waits for signatures. */
const pendingUpdate = v.strictObject({
  ...waiting,
  /** Null where the session is new. */
  predecessor: v.nullable(storedHash),
  creator: storedCreator,
  /** YAML as proposed. */
  text: v.string(),
});
export type PendingUpdate = v.InferOutput<typeof pendingUpdate>;

/** A deletion that waits for signatures. */
const pendingDeletion = v.strictObject({
  ...waiting,
  /** The version that it deletes. */
  predecessor: storedHash,
  /** The session that it deletes. */
  id: storedId,
});
export type PendingDeletion = v.InferOutput<typeof pendingDeletion>;

export type PendingChange = PendingUpdate | PendingDeletion;

/** What waits for one session, table `pending-updates`, by the session's name. */
export const pendingRecord = v.strictObject({ updates: v.array(v.union([pendingUpdate, pendingDeletion])) });
