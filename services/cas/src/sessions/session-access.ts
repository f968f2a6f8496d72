import { deleteRule, mayAccess, mayListSessions, type Access } from '@ensconce/policy/access';
import type { AccessPolicy } from '@ensconce/policy/session';
import { CasError } from '../errors.ts';
import { resolvedSession } from './resolved-session.ts';
import type { StoredSession } from './session-record.ts';
import type { Sessions } from './sessions.ts';

/** Who asks, as the TLS handshake proved it. */
export interface ClientIdentity {
  /** Key hash of the client's certificate; undefined where it showed none. */
  readonly keyHash: string | undefined;
  /** The certificate, PEM. */
  readonly certificate: string | undefined;
}

/** Whose rights a request has: the key of its connection, and the keys of signatures over it that were verified. */
export interface Rights {
  readonly keyHash?: string | undefined;
  readonly signers?: readonly string[] | undefined;
}

export type Right = keyof AccessPolicy | 'delete';

export function holdsRight(held: StoredSession, right: Right, rights: Rights): Access {
  const { session, stored } = held;
  if (right === 'listSessions') return mayListSessions(session.accessPolicy, rights, stored.creator);
  const rule = right === 'delete' ? deleteRule(session) : session.accessPolicy[right];
  return mayAccess(rule, { keyHash: rights.keyHash, signers: rights.signers }, stored.creator);
}

/** As {@link holdsRight}, with what references in access rules stand for now. */
export async function mayDo(
  sessions: Sessions,
  held: StoredSession,
  right: Right,
  rights: Rights,
): Promise<boolean> {
  const { session } = await resolvedSession(sessions, held);
  return holdsRight({ ...held, session }, right, rights).allowed;
}

/** One answer for "there is none" and "not for you": nobody infers the existence of what is not theirs. */
export function notFound(name: string): CasError {
  return new CasError(
    'CAS_SESSION_NOT_FOUND',
    `session '${name}': it does not exist, or this identity may not do that with it`,
    { hint: 'check the name, and whether access_policy lists your key hash (ensconce self show-key-hash)' },
  );
}
