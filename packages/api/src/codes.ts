/** How an error looks from outside. */
export interface PublicForm {
  /** HTTP status on the client port. */
  readonly status:
    | 400
    | 401
    | 403
    | 404
    | 405
    | 408
    | 409
    | 410
    | 412
    | 413
    | 415
    | 422
    | 428
    | 429
    | 431
    | 500
    | 503;
  /** Whether the same request may succeed later. */
  readonly retry: boolean;
  readonly meaning: string;
}

const form = (status: PublicForm['status'], meaning: string): PublicForm => ({
  status,
  retry: false,
  meaning,
});
const retry = (status: PublicForm['status'], meaning: string): PublicForm => ({
  status,
  retry: true,
  meaning,
});

/**
 * Every error that leaves CAS, on either port. Append-only: codes appear in answers, in the audit log and in other
 * people's scripts.
 */
export const publicForms = {
  CAS_REQUEST_INVALID: form(400, 'the request is not of the documented form'),
  CAS_PROTOCOL: form(400, 'service port: a frame that was not to be expected'),
  CAS_IDENTITY_REQUIRED: form(401, 'a client certificate is needed'),
  CAS_IDENTITY_INVALID: form(401, 'the client certificate cannot stand for an identity'),
  CAS_SESSION_FORBIDDEN: form(403, 'this identity may not create there'),
  CAS_CLIENT_UNATTESTED: form(403, 'this CAS answers attested clients only'),
  CAS_EVIDENCE_REFUSED: form(403, 'the evidence is bad'),
  CAS_BINDING_MISMATCH: form(403, 'the evidence is not of this connection'),
  CAS_SIGNATURE_INVALID: form(403, 'a signature does not hold, or is not by who must sign'),
  CAS_SERVICE_REFUSED: form(403, 'the program is not one that may have this'),
  CAS_AUDIT_FORBIDDEN: form(403, 'this identity may not read the whole audit log'),
  CAS_SESSION_NOT_FOUND: form(404, 'there is none, or it is not theirs: the two look the same'),
  CAS_VALUE_NOT_FOUND: form(404, 'there is none, or it is not public'),
  CAS_AUDIT_RANGE: form(404, 'the audit log is shorter than that'),
  CAS_ROUTE_NOT_FOUND: form(404, 'no such route'),
  CAS_METHOD_NOT_ALLOWED: form(405, 'the route has other methods; `Allow` names them'),
  CAS_SESSION_EXISTS: form(409, 'the name is taken'),
  CAS_PREDECESSOR_MISMATCH: form(409, 'another version is present'),
  CAS_SESSION_DELETED: form(410, 'it was deleted; only who may read it is told'),
  CAS_PRECONDITION_FAILED: form(412, '`If-Match` names another version than the present one'),
  CAS_APPROVALS_FULL: form(409, 'too many updates of the session are pending'),
  CAS_SESSIONS_FULL: form(409, 'this CAS holds as many sessions as it may; what exists can still be changed'),
  CAS_REQUEST_TOO_LARGE: form(413, 'the body is longer than this route takes'),
  CAS_MEDIA_TYPE: form(415, 'the content type is not one of this route'),
  CAS_SESSION_INVALID: form(422, '`msg` has each wrong line'),
  CAS_SESSION_UNREADABLE: form(422, 'the session is not encrypted for this CAS'),
  CAS_SERVICE_UNSUPPORTED: form(422, 'the session asks for what CAS cannot do'),
  CAS_PRECONDITION_REQUIRED: form(428, '`If-Match` is needed'),
  CAS_REQUEST_TIMEOUT: retry(408, 'the request did not arrive in time'),
  CAS_HEADERS_TOO_LARGE: form(431, 'request line and headers are longer than CAS takes'),
  CAS_RATE_LIMITED: retry(429, 'too many requests of this identity or address; `Retry-After` says when'),
  CAS_INTERNAL: form(500, "the reason is in CAS's log"),
  CAS_BUSY: retry(503, 'too many requests at once'),
  CAS_NOT_READY: retry(503, 'CAS cannot do its work now; `msg` says what is in the way'),
  CAS_IMPORT_UNAVAILABLE: retry(503, 'another CAS or a vault does not answer'),
  CAS_EVIDENCE_UNAVAILABLE: retry(503, 'no LAS, or it gave no evidence'),
  CAS_EVIDENCE_UNDECIDED: retry(503, 'could not tell whether the evidence is good'),
  CAS_AUDIT_WRITE: retry(503, 'the disk does not take the audit record; nothing was done'),
  CAS_AUDIT_SINK: retry(
    503,
    'the sink of the audit log cannot be reached, or has not confirmed the log; nothing was done',
  ),
  CAS_STATE_WRITE: retry(503, 'the disk does not take the change; nothing was done'),
} as const satisfies Readonly<Record<string, PublicForm>>;

export type PublicCode = keyof typeof publicForms;

/** What any route may answer. */
export const everywhere: readonly PublicCode[] = [
  'CAS_REQUEST_INVALID',
  'CAS_IDENTITY_INVALID',
  'CAS_CLIENT_UNATTESTED',
  'CAS_METHOD_NOT_ALLOWED',
  'CAS_REQUEST_TIMEOUT',
  'CAS_REQUEST_TOO_LARGE',
  'CAS_HEADERS_TOO_LARGE',
  'CAS_MEDIA_TYPE',
  'CAS_RATE_LIMITED',
  'CAS_INTERNAL',
  'CAS_BUSY',
  'CAS_AUDIT_WRITE',
  'CAS_AUDIT_SINK',
  'CAS_STATE_WRITE',
];
