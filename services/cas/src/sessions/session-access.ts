import { mayAccess } from '@ensconce/policy/access';
import type { AccessPolicy, Creator } from '@ensconce/policy/session';
import { CasError } from '../errors.ts';
import type { StoredSession } from './session-record.ts';

/** Who asks, as the TLS handshake or signatures over the request proved it. */
export interface ClientIdentity {
  /** Key hash of the client's certificate; undefined where it showed none. */
  readonly keyHash: string | undefined;
  /** The certificate, PEM. */
  readonly certificate: string | undefined;
  /** Key hashes of those whose signatures over this very session were verified. */
  readonly signers?: readonly string[];
}

export type Right = keyof AccessPolicy;

export function holdsRight(
  session: StoredSession,
  right: Right,
  identity: ClientIdentity,
): { readonly allowed: boolean; readonly reason: string } {
  const creator: Creator = session.stored.creator;
  return mayAccess(
    session.session.accessPolicy[right],
    { keyHash: identity.keyHash, signers: identity.signers },
    creator,
  );
}

/** One answer for "there is none" and "not for you": nobody infers the existence of what is not theirs. */
export function notFound(name: string): CasError {
  return new CasError(
    'CAS_SESSION_NOT_FOUND',
    `session '${name}': it does not exist, or this identity may not do that with it`,
    { hint: 'check the name, and whether access_policy lists your key hash (ensconce self show-key-hash)' },
  );
}
