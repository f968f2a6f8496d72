import * as v from 'valibot';
import type { Session } from '@ensconce/policy/session';
import type { Party } from '@ensconce/secrets/export';
import type { SecretState } from '@ensconce/secrets/state';

export const storedHash = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));

export const storedId = v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/));

export const storedCreator = v.strictObject({
  kind: v.picklist(['certificate', 'signer']),
  pem: v.string(),
  keyHash: v.string(),
});

/** One version of a session, without its secrets. */
const versionEntries = {
  name: v.string(),
  hash: storedHash,
  predecessor: v.nullable(storedHash),
  creator: storedCreator,
  /** The YAML as uploaded; empty where the session was deleted since. */
  text: v.string(),
  /** RFC 3339. */
  written: v.string(),
  /** Set on every version of a session that was deleted, RFC 3339. */
  deleted: v.optional(v.string()),
};

/** A past or present version, table `session-version`, named `<name>@<hash>`. */
export const storedVersion = v.strictObject(versionEntries);
export type StoredVersion = v.InferOutput<typeof storedVersion>;

/** The present version with its secrets, table `session`. */
export const storedSession = v.strictObject({
  ...versionEntries,
  /** 32 hex digits, random, made when the name was first taken: whatever becomes of the session keeps it. */
  id: storedId,
  /** The normalised session: a later version of the language may read its text otherwise. */
  session: v.unknown(),
  /** Hash of `session`; another than the version's where that is a tombstone. */
  sessionHash: storedHash,
  secrets: v.unknown(),
});

/** That a name is taken, table `session-name`: what the index of names is made of at the start. */
export const storedName = v.strictObject({
  name: v.string(),
  /** Key hash. */
  creator: v.string(),
  deleted: v.boolean(),
});
export type StoredName = v.InferOutput<typeof storedName>;

/** A session as CAS uses it. */
export interface StoredSession {
  /** Immutable: what imports and exports bind to. */
  readonly id: string;
  readonly stored: StoredVersion;
  readonly session: Session;
  readonly secrets: SecretState;
}

/** A session as imports and exports see it. */
export function partyOf({ id, session, stored }: StoredSession): Party {
  return { session, id, hash: stored.hash };
}
