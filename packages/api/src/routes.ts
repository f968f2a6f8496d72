import type { Route } from './route.ts';
import { attestCas, readOpenApi, readVersion } from './routes/service.ts';
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
  attestCas,
  readOpenApi,
  postSession,
  postSessionOld,
  putSession,
  readSession,
  deleteSession,
  listSessions,
  readHistory,
  readValue,
  readValues,
} as const satisfies Readonly<Record<string, Route>>;

export type Routes = typeof routes;
export type RouteId = keyof Routes;
