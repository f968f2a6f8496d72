import type { Json } from '@ensconce/base/json';
import { PolicyError } from './errors.ts';
import { freeze } from './freeze.ts';
import type { Session } from './session.ts';
import { sessionHash } from './session-hash.ts';

export interface KeptSession {
  readonly session: Json;
  readonly sessionHash: string;
}

/**
 * A session as it is kept: the normalised value itself, not its text, and its hash. A later version of the language may
 * refuse a text that this one accepts, and must still start what was accepted. Throws `POLICY_INVALID` where another
 * session would come back than the one that was accepted.
 */
export function storeSession(session: Session): KeptSession {
  const hash = sessionHash(session);
  const kept = JSON.parse(JSON.stringify(session)) as Session;
  if (sessionHash(kept) === hash) return { session: kept as unknown as Json, sessionHash: hash };
  throw new PolicyError(
    'POLICY_INVALID',
    `session to store: one that comes back with the hash ${hash} expected, another found`,
  );
}

/**
 * The session of a record that {@link storeSession} made and that is authentic: its hash was held when it was stored, and
 * to hold it at each reading would take longer than all else. Throws `POLICY_INVALID`.
 */
export function restoreSession(value: unknown): Session {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return freeze(value as Session);
  throw new PolicyError('POLICY_INVALID', 'stored session: an object expected, something else found');
}
