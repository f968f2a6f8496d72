import * as v from 'valibot';
import type { SecretState } from '@ensconce/secrets/state';
import type { Session } from '@ensconce/policy/session';

const hash = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));

/** How a session stands in the database, without its secrets. */
const versionEntries = {
  name: v.string(),
  hash,
  predecessor: v.nullable(hash),
  creator: v.strictObject({
    kind: v.picklist(['certificate', 'signer']),
    pem: v.string(),
    keyHash: v.string(),
  }),
  /** The YAML as uploaded. */
  text: v.string(),
  /** RFC 3339. */
  written: v.string(),
};

/** A past or present version, table `session-version`, named `<name>@<hash>`. */
export const storedVersion = v.strictObject(versionEntries);
export type StoredVersion = v.InferOutput<typeof storedVersion>;

/** The present version with its secrets, table `session`. */
export const storedSession = v.strictObject({ ...versionEntries, secrets: v.unknown() });

/** A session as CAS uses it. */
export interface StoredSession {
  readonly stored: StoredVersion;
  readonly session: Session;
  readonly secrets: SecretState;
}
