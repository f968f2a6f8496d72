import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import * as v from 'valibot';
import { describeIssue } from '@ensconce/base/issue';
import { pathMatcher, type PathMatcher } from '@ensconce/api/path';
import type { Answered, Asked, Route } from '@ensconce/api/route';
import { routes, type RouteId, type Routes } from '@ensconce/api/routes';
import { CasError } from '../errors.ts';
import type { ClientIdentity } from '../sessions/session-access.ts';
import { addressOf, clientOf } from './client-of.ts';
import { readBody } from './read-body.ts';
import type { AttestedClients } from './attested-clients.ts';
import type { UnreadableRequests } from './unreadable-requests.ts';
import type { Upload, Uploads } from './uploads.ts';

/** Who sent a request, over which connection. */
export interface Caller {
  readonly identity: ClientIdentity;
  readonly incoming: IncomingMessage;
}

/** What answers each row of the table; a row without one does not compile. */
export type Handlers = {
  readonly [Id in RouteId]: (
    asked: Asked<Routes[Id]>,
    caller: Caller,
  ) => Answered<Routes[Id]> | Promise<Answered<Routes[Id]>>;
};

export interface GoodAnswer {
  readonly status: number;
  readonly body: unknown;
  readonly etag?: string | undefined;
}

const table: readonly { readonly id: RouteId; readonly row: Route; readonly match: PathMatcher }[] =
  Object.entries<Route>(routes).map(([id, row]) => ({
    id: id as RouteId,
    row,
    match: pathMatcher(row.path),
  }));

/** Path and query as they were sent: nothing is normalised, so no `..` leads from one route to another. */
export function targetOf({ url = '/' }: IncomingMessage): { readonly path: string; readonly query: string } {
  const target = url.replace(/^https:\/\/[^/?#]*/i, '');
  const mark = target.indexOf('?');
  return mark < 0
    ? { path: target, query: '' }
    : { path: target.slice(0, mark), query: target.slice(mark + 1) };
}

/** The methods that a path has, HEAD and OPTIONS included; none where there is no such path. */
export function methodsOf(path: string): readonly string[] {
  const methods = table.filter(({ match }) => match(path) !== undefined).map(({ row }) => row.method);
  if (methods.length === 0) return [];
  return [...new Set([...methods, ...(methods.includes('GET') ? ['HEAD'] : []), 'OPTIONS'])].toSorted();
}

/** The row that a request is for, if there is one. */
export function routeOf(incoming: IncomingMessage): RouteId | undefined {
  const { path } = targetOf(incoming);
  const wanted = incoming.method === 'HEAD' ? 'GET' : incoming.method;
  return table.find(({ row, match }) => row.method === wanted && match(path) !== undefined)?.id;
}

export interface DispatchContext {
  readonly uploads: Uploads;
  readonly clients: AttestedClients;
  readonly unreadable: UnreadableRequests;
}

/** Reads a request by the row that it is for, and has it answered. */
export async function dispatch(
  handlers: Handlers,
  request: Request,
  incoming: IncomingMessage,
  { uploads, clients, unreadable }: DispatchContext,
): Promise<GoodAnswer> {
  const { path, query } = targetOf(incoming);
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  const { id, row, parts } = find(method, path);
  const identity = clientOf(incoming);
  if (row.access === 'identified' && identity.keyHash === undefined) {
    throw new CasError('CAS_IDENTITY_REQUIRED', 'request: a client certificate expected, none shown', {
      hint: 'use the ensconce command, or give curl --cert and --key',
    });
  }
  if (row.beforeAttestation !== true) clients.require(incoming.socket as TLSSocket);
  const upload = uploads.open(addressOf(incoming));
  try {
    const asked = {
      parameters: read(row.parameters, decoded(parts), 'address'),
      query: read(row.query, queryOf(query), 'query'),
      headers: read(row.headers, headersOf(row, request), 'header'),
      body: await unreadable.whileReading(incoming, bodyOf(row, request, upload)),
    };
    // The row's own schemas have read every part.
    const handler = handlers[id] as (asked: unknown, caller: Caller) => Promise<GoodAnswer>;
    return await handler(asked, { identity, incoming });
  } finally {
    upload.close();
  }
}

function find(
  method: string,
  path: string,
): { id: RouteId; row: Route; parts: Readonly<Record<string, string>> } {
  for (const { id, row, match } of table) {
    if (row.method !== method) continue;
    const parts = match(path);
    if (parts !== undefined) return { id, row, parts };
  }
  const methods = methodsOf(path);
  if (methods.length === 0) {
    throw new CasError('CAS_ROUTE_NOT_FOUND', `${method} ${path.slice(0, 200)}: no such route`, {
      hint: 'GET /v1/openapi.json lists them',
    });
  }
  throw new CasError(
    'CAS_METHOD_NOT_ALLOWED',
    `${path.slice(0, 200)}: ${methods.join(', ')} expected, ${method.slice(0, 20)} found`,
  );
}

function decoded(parts: Readonly<Record<string, string>>): Record<string, string> {
  try {
    return Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, decodeURIComponent(part)]));
  } catch (cause) {
    throw new CasError('CAS_REQUEST_INVALID', 'address: percent-encoded UTF-8 expected', { cause });
  }
}

function queryOf(text: string): Record<string, string> {
  const parts = new URLSearchParams(text);
  const query = Object.fromEntries(parts);
  if (Object.keys(query).length !== parts.size) {
    throw new CasError('CAS_REQUEST_INVALID', 'query: each parameter once expected, one found twice');
  }
  return query;
}

function headersOf(row: Route, request: Request): Record<string, string> {
  return Object.fromEntries(
    Object.keys(row.headers ?? {}).flatMap((name) => {
      const value = request.headers.get(name);
      return value === null ? [] : [[name, value]];
    }),
  );
}

async function bodyOf(row: Route, request: Request, upload: Upload): Promise<unknown> {
  const body = await readBody(request, row.body, upload);
  if (row.body === undefined) return undefined;
  const parsed = v.safeParse(row.body.schema, body);
  if (!parsed.success) throw invalid('body', parsed.issues[0]);
  return parsed.output;
}

function read(entries: v.ObjectEntries | undefined, value: Record<string, string>, where: string): unknown {
  const parsed = v.safeParse(v.strictObject(entries ?? {}), value);
  if (!parsed.success) throw invalid(where, parsed.issues[0]);
  return parsed.output;
}

function invalid(where: string, issue: Parameters<typeof describeIssue>[0]): CasError {
  return new CasError('CAS_REQUEST_INVALID', `${where}: ${describeIssue(issue)}`);
}
