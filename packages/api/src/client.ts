import { toHex } from '@ensconce/base/bytes';
import { call } from './call.ts';
import type { CasConnection } from './connection.ts';
import type { ExportAnswer, ExportRequest } from './exports.ts';
import { routes } from './routes.ts';
import type { SignedDeletion, SignedSession } from './signed-session.ts';
import type {
  AttestAnswer,
  History,
  SessionDeleted,
  SessionList,
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

/** Creates or updates the session `name`; sent twice, it has the same effect as once. */
export function putSession(
  cas: CasConnection,
  name: string,
  text: string,
  options: { readonly ifMatch?: string } = {},
): Promise<SessionWritten> {
  return call(cas, routes.putSession, {
    parameters: { name },
    body: text,
    headers: ifMatch(options.ifMatch),
  });
}

/** Deletes the version with that hash, and all before it. */
export function deleteSession(cas: CasConnection, name: string, hash: string): Promise<SessionDeleted> {
  return call(cas, routes.deleteSession, { parameters: { name }, headers: ifMatch(hash) });
}

/** The same by signatures, whoever carries them. */
export function postSignedDeletion(cas: CasConnection, signed: SignedDeletion): Promise<SessionDeleted> {
  return call(cas, routes.postSignedDeletion, { body: signed });
}

const ifMatch = (hash: string | undefined): { 'if-match'?: string } =>
  hash === undefined ? {} : { 'if-match': `"${hash}"` };

export interface PageOptions {
  readonly limit?: number | undefined;
  /** `next` of the page before. */
  readonly cursor?: string | undefined;
}

const page = ({
  limit,
  cursor,
}: PageOptions): { limit?: string | undefined; cursor?: string | undefined } => ({
  limit: limit === undefined ? undefined : String(limit),
  cursor,
});

/** A page of the names in a namespace; without one, of the top-level sessions. */
export function listSessions(
  cas: CasConnection,
  options: PageOptions & { readonly namespace?: string | undefined } = {},
): Promise<SessionList> {
  return call(cas, routes.listSessions, { query: { namespace: options.namespace, ...page(options) } });
}

/** A page of the versions of a session, newest first. */
export function readHistory(cas: CasConnection, name: string, options: PageOptions = {}): Promise<History> {
  return call(cas, routes.readHistory, { parameters: { name }, query: page(options) });
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
