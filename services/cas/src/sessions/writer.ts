import { creatorFromCertificate, keyHash } from '@ensconce/policy/key-hash';
import { PolicyError } from '@ensconce/policy/errors';
import { withCreator, type Creator, type Session } from '@ensconce/policy/session';
import { verifySignatures, versionOf, type SessionSignature } from '@ensconce/policy/signature';
import { CasError } from '../errors.ts';
import type { ClientIdentity } from './session-access.ts';
import type { WriteContext, WriteRequest } from './write-session.ts';

/** Who writes a session, and who is the creator of a new one. */
export interface Writer {
  readonly identity: ClientIdentity;
  readonly creator: Creator;
}

/**
 * Either the connection's certificate or signatures say who writes, never both: a signed session may be carried by
 * anybody. Whether signatures hold depends on the request alone, so that the answer tells nothing of what is there.
 */
export function writerOf(context: WriteContext, request: WriteRequest, session: Session): Writer {
  const { signatures } = request;
  if (signatures === undefined) return byCertificate(request.identity);
  const creator = session.creator ?? request.creator;
  if (creator === undefined) {
    throw new CasError(
      'CAS_SESSION_INVALID',
      `session '${session.name}': creator expected in a session that is signed, none found`,
      { hint: 'ensconce session sign writes it into a new session' },
    );
  }
  const signers = verifiedSigners(context, withCreator(session, creator), signatures);
  if (session.predecessor === undefined && !signers.includes(creator.keyHash)) {
    throw new CasError(
      'CAS_SIGNATURE_INVALID',
      `session '${session.name}': a signature by its creator ${creator.keyHash} expected, none found`,
    );
  }
  return { identity: { keyHash: undefined, certificate: undefined, signers }, creator };
}

/** @param session with its creator: signatures cover it. */
export function verifiedSigners(
  context: Pick<WriteContext, 'state' | 'now'>,
  session: Session,
  signatures: readonly SessionSignature[],
): readonly string[] {
  const cas = keyHash(context.state.identity.publicKey);
  try {
    return verifySignatures(versionOf(session), signatures, cas, context.now());
  } catch (cause) {
    if (!(cause instanceof PolicyError)) throw cause;
    throw new CasError('CAS_SIGNATURE_INVALID', `session '${session.name}': its signatures do not hold`, {
      cause,
    });
  }
}

function byCertificate(identity: ClientIdentity): Writer {
  const { certificate } = identity;
  if (certificate === undefined || identity.keyHash === undefined) {
    throw new CasError('CAS_IDENTITY_REQUIRED', 'session: a client certificate expected, none shown', {
      hint: 'use the ensconce command, or give curl --cert and --key',
    });
  }
  return { identity, creator: creatorFromCertificate(certificate) };
}
