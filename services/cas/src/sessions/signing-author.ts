import { keyHash } from '@ensconce/policy/key-hash';
import { PolicyError } from '@ensconce/policy/errors';
import { withCreator, type Creator } from '@ensconce/policy/session';
import {
  verifySignatures,
  versionOf,
  type SessionChange,
  type SessionSignature,
} from '@ensconce/policy/signature';
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
  const signers = verifiedSigners(context, versionOf(withCreator(session, creator)), signatures);
  if (session.predecessor === undefined && !signers.includes(creator.keyHash)) {
    throw new CasError(
      'CAS_SIGNATURE_INVALID',
      `session '${session.name}': a signature by its creator ${creator.keyHash} expected, none found`,
    );
  }
  return { signers, creator };
}

/** The key hashes of those who signed a change. Throws `CAS_SIGNATURE_INVALID` unless every signature holds. */
export function verifiedSigners(
  context: SignatureContext,
  change: SessionChange,
  signatures: readonly SessionSignature[],
): readonly string[] {
  const cas = keyHash(context.state.identity.publicKey);
  try {
    return verifySignatures(change, signatures, cas, context.now());
  } catch (cause) {
    if (!(cause instanceof PolicyError)) throw cause;
    throw new CasError('CAS_SIGNATURE_INVALID', `session '${change.name}': its signatures do not hold`, {
      cause,
    });
  }
}
