import * as v from 'valibot';
import type { PublicCode } from '../codes.ts';
import { route, type RouteBody } from '../route.ts';
import {
  hash,
  history,
  ifMatch,
  pageLimit,
  requestLimit,
  sessionDeleted,
  sessionList,
  sessionName,
  sessionRead,
  sessionWritten,
} from '../schema.ts';

const sessionBody = {
  types: [
    'application/yaml',
    'application/x-yaml',
    'text/yaml',
    'text/plain',
    'application/octet-stream',
    // What curl --data-binary sends.
    'application/x-www-form-urlencoded',
  ],
  typeOptional: true,
  schema: v.pipe(v.string(), v.minLength(1, 'a session in YAML expected')),
  limit: requestLimit,
} as const satisfies RouteBody;

const written = {
  200: { meaning: 'updated', schema: sessionWritten, etag: true },
  201: { meaning: 'created', schema: sessionWritten, etag: true },
} as const;

const writeErrors = [
  'CAS_IDENTITY_REQUIRED',
  'CAS_SESSION_FORBIDDEN',
  'CAS_SESSION_NOT_FOUND',
  'CAS_SESSION_EXISTS',
  'CAS_PREDECESSOR_MISMATCH',
  'CAS_PRECONDITION_FAILED',
  'CAS_SESSIONS_FULL',
  'CAS_SESSION_INVALID',
] as const satisfies readonly PublicCode[];

const writers = 'to create, whom `create_sessions` of the namespace names; to update, whom `update` names';

export const postSession = route({
  method: 'POST',
  path: '/v1/sessions',
  summary: 'Creates a session or, where it names a predecessor, updates it',
  who: writers,
  access: 'identified',
  headers: { 'if-match': v.optional(ifMatch) },
  body: sessionBody,
  answers: written,
  errors: writeErrors,
});

export const postSessionOld = route({
  ...postSession,
  path: '/session',
  summary: 'The same as `POST /v1/sessions`, for older clients',
  deprecated: true,
});

export const putSession = route({
  method: 'PUT',
  path: '/v1/sessions/{name}',
  summary: 'Creates or updates the session of that name',
  description: 'The version that is present already may be sent again: that changes nothing.',
  who: writers,
  access: 'identified',
  parameters: { name: sessionName },
  headers: { 'if-match': v.optional(ifMatch) },
  body: sessionBody,
  answers: written,
  errors: writeErrors,
});

export const readSession = route({
  method: 'GET',
  path: '/v1/sessions/{name}',
  summary: 'Reads a session, as it is now or as it was',
  description: 'Secret values stand in it only with `secrets=shown`, and the audit log says which it was.',
  who: 'whom `read` of the present version names',
  access: 'policy',
  parameters: { name: sessionName },
  query: { hash: v.optional(hash), secrets: v.optional(v.picklist(['shown'])) },
  answers: { 200: { meaning: 'the session', schema: sessionRead, etag: true } },
  errors: ['CAS_SESSION_NOT_FOUND', 'CAS_SESSION_DELETED'],
});

export const deleteSession = route({
  method: 'DELETE',
  path: '/v1/sessions/{name}',
  summary: 'Deletes a session: its texts and secrets are gone, its name stays its owner’s',
  who: 'whom `delete` in `ensconce` of the session names; without it, whom `update` names',
  access: 'identified',
  parameters: { name: sessionName },
  headers: { 'if-match': v.optional(ifMatch) },
  answers: { 200: { meaning: 'deleted', schema: sessionDeleted, etag: true } },
  errors: [
    'CAS_IDENTITY_REQUIRED',
    'CAS_SESSION_NOT_FOUND',
    'CAS_SESSION_DELETED',
    'CAS_PRECONDITION_FAILED',
    'CAS_PRECONDITION_REQUIRED',
  ],
});

export const listSessions = route({
  method: 'GET',
  path: '/v1/sessions',
  summary: 'Names of the sessions directly in a namespace, in order',
  description:
    'Without `namespace`: the top-level sessions. `next` of one page is `cursor` of the next; a session that comes or goes meanwhile moves no other.',
  who: 'whom `list_sessions` or `create_sessions` of the namespace names; at top level the owner of CAS, and everybody for what they created',
  access: 'policy',
  query: {
    namespace: v.optional(sessionName),
    limit: v.optional(pageLimit),
    cursor: v.optional(sessionName),
  },
  answers: { 200: { meaning: 'a page of names', schema: sessionList } },
  errors: ['CAS_SESSION_NOT_FOUND'],
});

export const readHistory = route({
  method: 'GET',
  path: '/v1/history/{name}',
  summary: 'The versions of a session, newest first',
  who: 'whom `read` names; once it was deleted, also whom `update` named',
  access: 'policy',
  parameters: { name: sessionName },
  query: { limit: v.optional(pageLimit), cursor: v.optional(hash) },
  answers: { 200: { meaning: 'a page of versions', schema: history } },
  errors: ['CAS_SESSION_NOT_FOUND'],
});
