import type { CasConnection } from './connection.ts';
import { toHex, utf8 } from '@ensconce/base/bytes';
import {
  attestAnswer,
  sessionMediaType,
  sessionRead,
  sessionWritten,
  valueAnswer,
  valuesAnswer,
  versionAnswer,
  type AttestAnswer,
  type AttestRequest,
  type SessionRead,
  type SessionWritten,
  type ValueAnswer,
  type ValuesAnswer,
  type VersionAnswer,
} from './schema.ts';

const sessionPath = (name: string): string =>
  `/v1/sessions/${name.split('/').map(encodeURIComponent).join('/')}`;

const yaml = (text: string): { type: string; content: Uint8Array } => ({
  type: sessionMediaType,
  content: utf8(text),
});

export function version(cas: CasConnection): Promise<VersionAnswer> {
  return cas.call(versionAnswer, { method: 'GET', path: '/v1/version' });
}

/** Asks CAS for evidence about itself, bound to this connection and to `nonce` (32 bytes). */
export function attest(cas: CasConnection, nonce: Uint8Array): Promise<AttestAnswer> {
  const body: AttestRequest = { nonce: toHex(nonce) };
  return cas.call(attestAnswer, {
    method: 'POST',
    path: '/v1/attest',
    body: { type: 'application/json', content: utf8(JSON.stringify(body)) },
  });
}

/** Creates a session or, where the YAML names a predecessor, updates it. */
export function postSession(cas: CasConnection, text: string): Promise<SessionWritten> {
  return cas.call(sessionWritten, { method: 'POST', path: '/v1/sessions', body: yaml(text) });
}

/** Reads a session as it is now or, with `hash`, as it was then; without secret values unless `secrets` is `shown`. */
export function readSession(
  cas: CasConnection,
  name: string,
  options: { readonly hash?: string | undefined; readonly secrets?: 'shown' } = {},
): Promise<SessionRead> {
  const query = new URLSearchParams();
  if (options.hash !== undefined) query.set('hash', options.hash);
  if (options.secrets !== undefined) query.set('secrets', options.secrets);
  const suffix = query.size === 0 ? '' : `?${query.toString()}`;
  return cas.call(sessionRead, { method: 'GET', path: `${sessionPath(name)}${suffix}` });
}

/** One value that the session exports to everybody. */
export function readValue(cas: CasConnection, session: string, secret: string): Promise<ValueAnswer> {
  return cas.call(valueAnswer, {
    method: 'GET',
    path: `/v1/values/session=${encodeURIComponent(session)},secret=${encodeURIComponent(secret)}`,
  });
}

/** All values that the session exports to everybody. */
export function readValues(cas: CasConnection, session: string): Promise<ValuesAnswer> {
  return cas.call(valuesAnswer, {
    method: 'GET',
    path: `/v1/values/session=${encodeURIComponent(session)}`,
  });
}
