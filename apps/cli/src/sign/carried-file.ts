import { call } from '@ensconce/api/call';
import { postSignedSession } from '@ensconce/api/client';
import type { CasConnection } from '@ensconce/api/connection';
import { routes } from '@ensconce/api/routes';
import type { SessionWritten } from '@ensconce/api/schema';
import type { Io } from '../io.ts';
import { readSessionText, type SessionFile, type TemplateOptions } from '../state/session-file.ts';
import { loadSignedText, signedOf, type SignedFile } from './signed-file.ts';

/** What a file has for CAS. Only a plain session is this command's to complete; the others are sent as they are. */
export type Carried =
  | ({ readonly kind: 'plain' } & SessionFile)
  | ({ readonly kind: 'signed' } & SignedFile)
  | { readonly kind: 'encrypted'; readonly jwe: string };

const compactJwe = /^\s*[\w-]+(?:\.[\w-]*){4}\s*$/;

export function readCarried(io: Io, file: string, options: TemplateOptions): Carried {
  const text = readSessionText(file);
  if (compactJwe.test(text)) return { kind: 'encrypted', jwe: text.trim() };
  const read = loadSignedText(io, file, text, options);
  return read.signatures.length > 0
    ? { kind: 'signed', ...read }
    : { kind: 'plain', text: read.text, session: read.session, warnings: [] };
}

export function sendCarried(
  cas: CasConnection,
  carried: Exclude<Carried, { kind: 'plain' }>,
): Promise<SessionWritten> {
  return carried.kind === 'encrypted'
    ? call(cas, routes.putEncryptedSession, { body: carried.jwe })
    : postSignedSession(cas, signedOf(carried.text, carried.signatures));
}
