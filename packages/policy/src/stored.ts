import type { Json } from '@ensconce/base/json';
import { PolicyError } from './errors.ts';
import { freeze } from './freeze.ts';
import type { Session } from './session.ts';
import { sessionHash } from './session-hash.ts';

/**
 * A session as it is kept: the normalised value itself, not its text. A later version of the language may refuse a text
 * that this one accepts, and must still start what was accepted.
 */
export function storeSession(session: Session): Json {
  return session as unknown as Json;
}

/**
 * The session that was kept under this hash. The hash covers every part of it, so what has the hash is what was read
 * from its text then. Throws `POLICY_INVALID`.
 */
export function restoreSession(value: unknown, hash: string): Session {
  if (typeof value === 'object' && value !== null && hashOf(value as Session) === hash)
    return freeze(value as Session);
  throw new PolicyError(
    'POLICY_INVALID',
    `stored session: one with the hash ${hash} expected, another found`,
  );
}

function hashOf(value: Session): string | undefined {
  try {
    return sessionHash(value);
  } catch (error) {
    // What canonical JSON cannot express was never stored by us.
    if (error instanceof RangeError || error instanceof TypeError) return undefined;
    throw error;
  }
}
