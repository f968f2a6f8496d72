import * as v from 'valibot';
import { signedSession, signedSessionLimit, type SignedSession } from '@ensconce/api/signed-session';
import { describeIssue } from '@ensconce/base/issue';
import { parseJson } from '@ensconce/base/json';
import { utf8 } from '@ensconce/base/bytes';
import { parseSession } from '@ensconce/policy/parse';
import type { Session } from '@ensconce/policy/session';
import type { SessionSignature } from '@ensconce/policy/signature';
import { CliError } from '../errors.ts';
import type { Io } from '../io.ts';
import { loadSessionText, readSessionText, type TemplateOptions } from '../state/session-file.ts';

/** A session file, or one that holds a session with signatures. */
export interface SignedFile {
  readonly text: string;
  readonly session: Session;
  readonly signatures: readonly SessionSignature[];
}

/** Reads either kind of file; variables are replaced in session files only, since a signature covers the result. */
export function loadSignedFile(io: Io, file: string, options: TemplateOptions): SignedFile {
  return loadSignedText(io, file, readSessionText(file), options);
}

/** The same of a text that was read already. */
export function loadSignedText(io: Io, file: string, text: string, options: TemplateOptions): SignedFile {
  const signed = parseSigned(file, text);
  if (signed === undefined) return { ...loadSessionText(io, file, text, options), signatures: [] };
  const { session } = parseSession(signed.session);
  if (session === undefined) {
    throw new CliError(
      'CLI_SESSION',
      `${file}: a session that can be accepted expected inside, another found`,
      {
        hint: 'sign the session file again, after ensconce session check',
      },
    );
  }
  return { text: signed.session, session, signatures: signed.signatures };
}

export function signedOf(text: string, signatures: readonly SessionSignature[]): SignedSession {
  return { format: 'ensconce-signed-session/1', session: text, signatures: [...signatures] };
}

/** The text of a file of this kind. */
export function formatSigned(text: string, signatures: readonly SessionSignature[]): string {
  return `${JSON.stringify(signedOf(text, signatures), null, 2)}\n`;
}

/** A session file is a YAML map with a name; it may be JSON too, but never with this format in it. */
function parseSigned(file: string, text: string): SignedSession | undefined {
  if (!/^\s*\{\s*"format"\s*:/.test(text)) return undefined;
  const parsed = v.safeParse(signedSession, parseJson(utf8(text), file, signedSessionLimit));
  if (parsed.success) return parsed.output;
  throw new CliError('CLI_SESSION', `${file}: a signed session expected, ${describeIssue(parsed.issues[0])}`);
}
