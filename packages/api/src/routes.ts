import type { Route } from './route.ts';
import {
  approveSession,
  proposeDeletion,
  proposeSession,
  readApprovals,
  vetoSession,
  withdrawSession,
} from './routes/approvals.ts';
import {
  attestAuditKey,
  proveConsistency,
  proveInclusion,
  readAuditRecords,
  readCheckpoint,
  readSessionRecords,
} from './routes/audit.ts';
import { readExports } from './routes/exports.ts';
import {
  attestCas,
  attestClient,
  readClientChallenge,
  readLive,
  readOpenApi,
  readReady,
  readVersion,
} from './routes/service.ts';
import {
  postSignedDeletion,
  postSignedSession,
  putEncryptedSession,
  readEncryptionKey,
} from './routes/signed-sessions.ts';
import {
  deleteSession,
  listSessions,
  postSession,
  postSessionOld,
  putSession,
  readHistory,
  readSession,
} from './routes/sessions.ts';
import { readValue, readValues } from './routes/values.ts';

/** Every route of the client API by its operation id. A new one is a row in routes/, here, and a handler in CAS. */
export const routes = {
  readVersion,
  readLive,
  readReady,
  attestCas,
  readClientChallenge,
  attestClient,
  readOpenApi,
  postSession,
  postSessionOld,
  putSession,
  readSession,
  postSignedSession,
  postSignedDeletion,
  putEncryptedSession,
  readEncryptionKey,
  proposeSession,
  proposeDeletion,
  readApprovals,
  approveSession,
  vetoSession,
  withdrawSession,
  deleteSession,
  listSessions,
  readHistory,
  readValue,
  readValues,
  readCheckpoint,
  proveConsistency,
  proveInclusion,
  readAuditRecords,
  readSessionRecords,
  attestAuditKey,
  readExports,
} as const satisfies Readonly<Record<string, Route>>;

export type Routes = typeof routes;
export type RouteId = keyof Routes;
