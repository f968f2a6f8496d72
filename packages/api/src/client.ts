import { toHex } from '@ensconce/base/bytes';
import { call } from './call.ts';
import type { CasConnection } from './connection.ts';
import type { ExportAnswer, ExportRequest } from './exports.ts';
import { routes } from './routes.ts';
import type { SignedSession } from './signed-session.ts';
import type {
  AttestAnswer,
  SessionRead,
  SessionWritten,
  ValueAnswer,
  ValuesAnswer,
  VersionAnswer,
} from './schema.ts';

export function version(cas: CasConnection): Promise<VersionAnswer> {
  return call(cas, routes.readVersion, {});
}

/** Asks CAS for evidence about itself, bound to this connection and to `nonce` (32 bytes). */
export function attest(cas: CasConnection, nonce: Uint8Array): Promise<AttestAnswer> {
  return call(cas, routes.attestCas, { body: { nonce: toHex(nonce) } });
}

/** Creates a session or, where the YAML names a predecessor, updates it. */
export function postSession(cas: CasConnection, text: string): Promise<SessionWritten> {
  return call(cas, routes.postSession, { body: text });
}

/** The same by signatures, whoever carries them. */
export function postSignedSession(cas: CasConnection, signed: SignedSession): Promise<SessionWritten> {
  return call(cas, routes.postSignedSession, { body: signed });
}

/** Reads a session as it is now or, with `hash`, as it was then; without secret values unless `secrets` is `shown`. */
export function readSession(
  cas: CasConnection,
  name: string,
  options: { readonly hash?: string | undefined; readonly secrets?: 'shown' } = {},
): Promise<SessionRead> {
  return call(cas, routes.readSession, { parameters: { name }, query: options });
}

/** One value that the session exports to everybody. */
export function readValue(cas: CasConnection, session: string, secret: string): Promise<ValueAnswer> {
  return call(cas, routes.readValue, { parameters: { session, secret } });
}

/** All values that the session exports to everybody. */
export function readValues(cas: CasConnection, session: string): Promise<ValuesAnswer> {
  return call(cas, routes.readValues, { parameters: { session } });
}

/** Asks another CAS for what it exports to a session of this one, which the connection's identity stands for. */
export function readExports(cas: CasConnection, request: ExportRequest): Promise<ExportAnswer> {
  return call(cas, routes.readExports, { body: request });
}
