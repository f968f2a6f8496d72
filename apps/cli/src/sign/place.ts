import type { Creator } from '@ensconce/policy/session';
import { CliError } from '../errors.ts';
import { insertCreator } from '../state/session-file.ts';
import type { SignedFile } from './signed-file.ts';

/**
 * The session as it is signed: a signature covers the creator too. That of a new session is whoever signs first; that of
 * an update is the creator of the version before, which the text must name.
 */
export function placeCreator(file: SignedFile, signer: Creator): SignedFile {
  const { session, text } = file;
  if (session.creator !== undefined) return file;
  if (session.predecessor !== undefined) {
    throw new CliError(
      'CLI_SESSION',
      `session '${session.name}': the creator expected in an update that is signed, none found`,
      {
        hint: 'let CAS collect the signatures (ensconce session propose), or copy creator from ensconce session read',
      },
    );
  }
  return { ...file, ...insertCreator({ text, session, warnings: [] }, signer) };
}
