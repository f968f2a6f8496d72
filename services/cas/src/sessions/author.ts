import { creatorFromCertificate } from '@ensconce/policy/key-hash';
import type { Creator } from '@ensconce/policy/session';
import { CasError } from '../errors.ts';
import type { ClientIdentity, Rights } from './session-access.ts';

/** Who wants a change. What the change is does not depend on how they proved who they are. */
export interface Author extends Rights {
  /** Whom a session that this author creates has as its creator. */
  readonly creator: Creator;
}

/** The author that a TLS connection proves. */
export function authorOf({ keyHash, certificate }: ClientIdentity): Author {
  if (certificate === undefined || keyHash === undefined) {
    throw new CasError('CAS_IDENTITY_REQUIRED', 'request: a client certificate expected, none shown', {
      hint: 'use the ensconce command, or give curl --cert and --key',
    });
  }
  return { keyHash, creator: creatorFromCertificate(certificate) };
}
