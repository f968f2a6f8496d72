import { createHash, timingSafeEqual } from 'node:crypto';
import { untrustworthy } from './appraise.ts';

/**
 * Holds the token that the host gave a service against that of its session. Both ways: a service that was started with a token
 * starts under no session that has none, so that nobody puts another session in its place.
 */
export function checkAccessToken(expected: string | undefined, found: string | undefined): void {
  if (expected === undefined && found === undefined) return;
  if (expected === undefined) {
    throw untrustworthy(
      'no service access token expected by the session, one found',
      'start the service without SCONE_SERVICE_ACCESS_TOKEN, or give the session security: {service_access_token: …}',
    );
  }
  if (found === undefined || !equal(expected, found)) {
    throw untrustworthy(
      `the service access token of the session expected, ${found === undefined ? 'none' : 'another'} found`,
      'start the service with SCONE_SERVICE_ACCESS_TOKEN',
    );
  }
}

/** In constant time whatever the lengths: digests are compared. */
function equal(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text, 'utf8').digest();
  return timingSafeEqual(digest(a), digest(b));
}
