import * as v from 'valibot';
import { sessionSignature } from '@ensconce/api/signed-session';

const hash = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));

/** An update that waits for signatures. */
export const pendingUpdate = v.strictObject({
  hash,
  predecessor: v.nullable(hash),
  creator: v.strictObject({
    kind: v.picklist(['certificate', 'signer']),
    pem: v.string(),
    keyHash: v.string(),
  }),
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
