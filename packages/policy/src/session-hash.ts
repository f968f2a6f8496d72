import { createHash } from 'node:crypto';
import { encodeFields } from '@ensconce/base/fields';
import { canonicalJson, type Json } from '@ensconce/base/json';
import type { Session } from './session.ts';

/**
 * The identity of one version of a session: SHA-256 over its canonical form, the creator included
 * (docs/formats/session-hash.md). 64 hex digits.
 */
export function sessionHash(session: Session): string {
  const json = canonicalJson(session as unknown as Json);
  return createHash('sha256')
    .update(encodeFields('ensconce session 1', [json]))
    .digest('hex');
}
