import type { KeyObject } from 'node:crypto';
import * as v from 'valibot';
import { signedSession, signedSessionLimit, type SignedSession } from '@ensconce/api/signed-session';
import { utf8 } from '@ensconce/base/bytes';
import { describeIssue } from '@ensconce/base/issue';
import { parseJson } from '@ensconce/base/json';
import { decryptSession } from '@ensconce/secrets/encrypted-session';
import { SecretsError } from '@ensconce/secrets/errors';
import { CasError } from '../errors.ts';

/** What an encrypted session holds: a text, with signatures or without. */
export async function readCarried(
  jwe: string,
  key: KeyObject,
): Promise<{ readonly text: string; readonly signatures?: SignedSession['signatures'] }> {
  let text: string;
  try {
    text = await decryptSession(jwe.trim(), key);
  } catch (cause) {
    if (!(cause instanceof SecretsError)) throw cause;
    throw new CasError('CAS_SESSION_UNREADABLE', 'session: one that is encrypted for this CAS expected', {
      hint: 'encrypt it for the key that this CAS has now: ensconce session encrypt',
    });
  }
  if (!/^\s*\{\s*"format"\s*:/.test(text)) return { text };
  const parsed = v.safeParse(signedSession, jsonOf(text));
  if (parsed.success) return { text: parsed.output.session, signatures: parsed.output.signatures };
  throw new CasError(
    'CAS_SESSION_INVALID',
    `session: a signed session expected, ${describeIssue(parsed.issues[0])}`,
  );
}

function jsonOf(text: string): unknown {
  try {
    return parseJson(utf8(text), 'session', signedSessionLimit);
  } catch (cause) {
    throw new CasError('CAS_SESSION_INVALID', 'session: a signed session in JSON expected', { cause });
  }
}
