import * as v from 'valibot';
import { evidenceFormat } from '@ensconce/wire/evidence-format';

/** The client API of CAS on port 8081 (docs/protocol/client-api.md): JSON answers over TLS 1.3. */
export const apiPort = 8081;
/** Largest request body, bytes. */
export const requestLimit = 1_048_576;
/** Largest answer that a client reads, bytes. */
export const answerLimit = 4_194_304;

export const hash = v.pipe(
  v.string(),
  v.regex(/^[0-9a-f]{64}$/, '64 lower-case hexadecimal digits expected'),
);
const base64 = v.pipe(v.string(), v.base64());
/** 32 hex digits, random: a session keeps it whatever becomes of it. */
export const sessionId = v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/));
/** Bounded only: a name that no session can have is a session that does not exist. */
export const sessionName = v.pipe(v.string(), v.minLength(1), v.maxLength(4096));
export const secretName = v.pipe(v.string(), v.minLength(1), v.maxLength(4096));
const text = v.pipe(v.string(), v.maxLength(8192));

/** How many entries a page has at most. */
export const pageLimit = v.pipe(
  v.string(),
  v.regex(/^(?:[1-9]\d{0,2}|1000)$/, 'a number from 1 to 1000 expected'),
);
/** `If-Match`: one strong entity tag, the hash of a version. */
export const ifMatch = v.pipe(
  v.string(),
  v.regex(/^"[0-9a-f]{64}"$/, 'the hash of one version in quotes expected'),
);

/** Every answer that is not 2xx: a cause chain, outermost first. */
export const errorBody = v.strictObject({
  msg: v.pipe(v.array(text), v.maxLength(64)),
  code: text,
  hint: v.optional(text),
  retry: v.boolean(),
});
export type ErrorBody = v.InferOutput<typeof errorBody>;

/** Answer to `POST /v1/sessions` and `PUT /v1/sessions/<name>`. */
export const sessionWritten = v.strictObject({
  name: v.string(),
  hash,
  predecessor: v.nullable(hash),
});
export type SessionWritten = v.InferOutput<typeof sessionWritten>;

/** Answer to `GET /v1/sessions/<name>`. */
export const sessionRead = v.strictObject({
  id: sessionId,
  name: v.string(),
  hash,
  predecessor: v.nullable(hash),
  /** Who created the session; part of its hash. */
  creator: v.strictObject({
    kind: v.picklist(['certificate', 'signer']),
    pem: v.string(),
    keyHash: v.string(),
  }),
  /** YAML: as it was uploaded where the secrets are shown, else the same in normal form with each secret value as `!redacted ""`. */
  session: v.string(),
  redacted: v.boolean(),
});
export type SessionRead = v.InferOutput<typeof sessionRead>;

/** Answer to `GET /v1/sessions`: a page of names. */
export const sessionList = v.strictObject({
  sessions: v.array(v.strictObject({ name: v.string() })),
  /** `cursor` of the next page; null where this was the last. */
  next: v.nullable(v.string()),
});
export type SessionList = v.InferOutput<typeof sessionList>;

/** Answer to `GET /v1/history/<name>`: a page of versions, newest first. */
export const history = v.strictObject({
  name: v.string(),
  id: sessionId,
  versions: v.array(
    v.strictObject({
      hash,
      predecessor: v.nullable(hash),
      written: v.string(),
      /** When its text was deleted. */
      deleted: v.nullable(v.string()),
    }),
  ),
  next: v.nullable(hash),
});
export type History = v.InferOutput<typeof history>;

/** Answer to `DELETE /v1/sessions/<name>`. */
export const sessionDeleted = v.strictObject({
  name: v.string(),
  /** Of the tombstone: the predecessor that brings the session back. */
  hash,
  predecessor: hash,
});
export type SessionDeleted = v.InferOutput<typeof sessionDeleted>;

/** Answer to `GET /v1/openapi.json`. */
export const openApiAnswer = v.looseObject({ openapi: v.literal('3.1.0') });
export type OpenApiAnswer = v.InferOutput<typeof openApiAnswer>;

/** Answer to `GET /v1/version`. What CAS says of itself proves nothing: only evidence does. */
export const versionAnswer = v.strictObject({
  product: v.literal('ensconce-cas'),
  version: v.string(),
  api: v.literal(1),
  /** Hex SHA-256 of CAS's public key. */
  identity: hash,
  acceptsSimulation: v.boolean(),
  /** True for ever once this CAS has accepted simulated evidence. */
  everAcceptedSimulation: v.boolean(),
  /** Whether somebody besides CAS keeps what it has signed, so that it notices when its state was put back. */
  witnessed: v.boolean(),
});
export type VersionAnswer = v.InferOutput<typeof versionAnswer>;

export const liveAnswer = v.strictObject({ status: v.literal('live') });
export const readyAnswer = v.strictObject({ status: v.literal('ready') });

export const attestRequest = v.strictObject({ nonce: hash });
export type AttestRequest = v.InferOutput<typeof attestRequest>;

/** Answer to `POST /v1/attest`: evidence bound to the TLS connection that carries it. */
export const attestAnswer = v.strictObject({
  format: v.picklist(['sgx']),
  evidence: base64,
  description: v.optional(base64),
});
export type AttestAnswer = v.InferOutput<typeof attestAnswer>;

/** Answer to `GET /v1/attest-client`. */
export const clientChallenge = v.strictObject({ required: v.boolean(), nonce: hash });
export type ClientChallenge = v.InferOutput<typeof clientChallenge>;

/** Body of `POST /v1/attest-client`. */
export const clientEvidence = v.strictObject({
  format: evidenceFormat,
  evidence: base64,
  /** The certificate table of the host, as SEV-SNP has it beside the report. */
  certificates: v.optional(base64),
});
export type ClientEvidence = v.InferOutput<typeof clientEvidence>;

export const clientAttested = v.strictObject({ attested: v.literal(true), simulated: v.boolean() });
export type ClientAttested = v.InferOutput<typeof clientAttested>;

/** A public value, as `GET /v1/values/session=<s>,secret=<n>` answers. */
export const valueAnswer = v.strictObject({
  kind: v.literal('string'),
  value: v.string(),
  expires: v.nullable(v.string()),
  renew: v.nullable(v.string()),
});
export type ValueAnswer = v.InferOutput<typeof valueAnswer>;

/** Answer to `GET /v1/values/session=<s>`: all public values by name. */
export const valuesAnswer = v.strictObject({ values: v.record(v.string(), valueAnswer) });
export type ValuesAnswer = v.InferOutput<typeof valuesAnswer>;
