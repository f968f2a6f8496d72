import { keyHash } from '@ensconce/policy/key-hash';
import { PolicyError } from '@ensconce/policy/errors';
import { withCreator, type Creator, type Session } from '@ensconce/policy/session';
import { verifySignatures, versionOf, type SessionSignature } from '@ensconce/policy/signature';
import { CasError } from '../errors.ts';
import type { State } from '../state/state.ts';
import type { Author } from './author.ts';
import { parseWritten } from './write-session.ts';

export interface SignatureContext {
  readonly state: State;
  readonly now: () => Date;
}

/**
 * The author that signatures over a session prove, whoever carries it. Whether they hold depends on the request alone,
 * so that the answer tells nothing of what is there.
 *
 * @param filledIn the creator as CAS filled it in before the signatures were made, where the text names none.
 */
export function authorBySignatures(
  context: SignatureContext,
  text: string,
  signatures: readonly SessionSignature[],
  filledIn?: Creator,
): Author {
  const session = parseWritten(text);
  const creator = session.creator ?? filledIn;
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
  return { signers, creator };
}

/** @param session with its creator: signatures cover it. */
export function verifiedSigners(
  context: SignatureContext,
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
