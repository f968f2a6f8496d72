import * as v from 'valibot';
import { hash, requestLimit, sessionId } from './schema.ts';
import { sessionSignature } from './signed-session.ts';

const sessionText = v.pipe(v.string(), v.minLength(1), v.maxLength(requestLimit));
const date = v.pipe(v.string(), v.maxLength(40));
const keyHashes = v.array(v.string());

/** Seconds until CAS forgets it: at most 30 days, 7 if absent. */
const lifetime = v.optional(v.pipe(v.number(), v.integer(), v.minValue(60), v.maxValue(30 * 86_400)));

/** Body of `POST /v1/approvals`. */
export const proposal = v.strictObject({
  /** YAML. */
  session: sessionText,
  lifetime,
});
export type Proposal = v.InferOutput<typeof proposal>;

/** Body of `POST /v1/deletions/<name>`. */
export const deletionProposal = v.strictObject({
  /** Of the version that is present. */
  hash,
  lifetime,
});
export type DeletionProposal = v.InferOutput<typeof deletionProposal>;

/** Body of `POST /v1/approvals/<name>`: a signature over the pending update or deletion with this hash. */
export const approvalGiven = v.strictObject({ hash, signature: sessionSignature });
/** Body of `POST /v1/vetoes/<name>`: a signature over the veto. */
export const vetoGiven = v.strictObject({ hash, veto: sessionSignature });

/** One line of the rule that a pending change must satisfy; members of a rule follow it, one deeper. */
const ruleLine = v.strictObject({
  depth: v.pipe(v.number(), v.integer(), v.minValue(0)),
  text: v.string(),
  satisfied: v.boolean(),
});

const approvalEntries = {
  name: v.string(),
  change: v.picklist(['update', 'deletion']),
  /** Of the version, or of the deletion (docs/formats/session-signature.md). */
  hash,
  /** Of the version that it updates or deletes; null where the session is new. */
  predecessor: v.nullable(hash),
  /** `pending` until the rule is satisfied, or cannot be any more. */
  state: v.picklist(['pending', 'applied', 'vetoed']),
  expires: date,
  /** Key hashes. */
  signed: keyHashes,
  vetoed: keyHashes,
  /** Any of the lines at depth 0 is enough. */
  rule: v.array(ruleLine),
};

/** Where a pending update or deletion stands. */
export const approval = v.strictObject(approvalEntries);
export type Approval = v.InferOutput<typeof approval>;

/** What an update would change, in words. */
const difference = v.strictObject({ about: v.string(), widens: v.boolean(), text: v.string() });

const pendingUpdate = v.strictObject({
  ...approvalEntries,
  proposed: date,
  /** Key hash of who proposed it. */
  proposer: v.string(),
  /** Immutable id of the session, which a signature over its deletion covers; null where the session is new. */
  id: v.nullable(sessionId),
  /** YAML in normal form, each secret value as `!redacted ""`; null for a deletion. */
  session: v.nullable(v.string()),
  changes: v.array(difference),
});
export type PendingUpdateView = v.InferOutput<typeof pendingUpdate>;

/** Answer to `GET /v1/approvals/<name>`. */
export const pendingUpdates = v.strictObject({ updates: v.array(pendingUpdate) });
export type PendingUpdatesAnswer = v.InferOutput<typeof pendingUpdates>;
