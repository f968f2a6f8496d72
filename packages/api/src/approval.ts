import * as v from 'valibot';
import { hash, requestLimit } from './schema.ts';
import { sessionSignature } from './signed-session.ts';

const sessionText = v.pipe(v.string(), v.minLength(1), v.maxLength(requestLimit));
const date = v.pipe(v.string(), v.maxLength(40));
const keyHashes = v.array(v.string());

/** Body of `POST /v1/approvals`. */
export const proposal = v.strictObject({
  /** YAML. */
  session: sessionText,
  /** Seconds until CAS forgets it: at most 30 days, 7 if absent. */
  lifetime: v.optional(v.pipe(v.number(), v.integer(), v.minValue(60), v.maxValue(30 * 86_400))),
});
export type Proposal = v.InferOutput<typeof proposal>;

/** Body of `POST /v1/approvals/<name>`: a signature over the version with this hash. */
export const approvalGiven = v.strictObject({ hash, signature: sessionSignature });
/** Body of `POST /v1/vetoes/<name>`: a signature over the veto. */
export const vetoGiven = v.strictObject({ hash, veto: sessionSignature });

/** One line of the rule that a pending update must satisfy; members of a rule follow it, one deeper. */
const ruleLine = v.strictObject({
  depth: v.pipe(v.number(), v.integer(), v.minValue(0)),
  text: v.string(),
  satisfied: v.boolean(),
});

const approvalEntries = {
  name: v.string(),
  hash,
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

/** Where a pending update stands. */
export const approval = v.strictObject(approvalEntries);
export type Approval = v.InferOutput<typeof approval>;

/** What an update would change, in words. */
const change = v.strictObject({ about: v.string(), widens: v.boolean(), text: v.string() });

const pendingUpdate = v.strictObject({
  ...approvalEntries,
  proposed: date,
  /** Key hash of who proposed it. */
  proposer: v.string(),
  /** YAML in normal form, each secret value as `!redacted ""`. */
  session: v.string(),
  changes: v.array(change),
});
export type PendingUpdateView = v.InferOutput<typeof pendingUpdate>;

/** Answer to `GET /v1/approvals/<name>`. */
export const pendingUpdates = v.strictObject({ updates: v.array(pendingUpdate) });
export type PendingUpdatesAnswer = v.InferOutput<typeof pendingUpdates>;
