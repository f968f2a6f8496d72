import * as v from 'valibot';
import { endorsementSchema } from '@ensconce/audit/endorsement';
import { provedRecord, proofSchema } from '@ensconce/audit/session-history';
import { route } from '../route.ts';
import { attestAnswer, attestRequest, sessionName } from '../schema.ts';

const count = v.pipe(
  v.string(),
  v.regex(/^[1-9]\d{0,14}$/, 'a number from 1 on expected'),
  v.transform(Number),
);

/** A C2SP signed note. */
const note = v.pipe(v.string(), v.maxLength(16_384));

/** Answer to `GET /v1/audit/checkpoint`. */
export const checkpointAnswer = v.strictObject({ checkpoint: note, endorsement: endorsementSchema });
export type CheckpointAnswer = v.InferOutput<typeof checkpointAnswer>;

export const proofAnswer = v.strictObject({ proof: proofSchema });
export type ProofAnswer = v.InferOutput<typeof proofAnswer>;

/** Answer to `GET /v1/audit/records`: each record as JSON, whose canonical form is its line. */
export const recordsAnswer = v.strictObject({ records: v.array(v.looseObject({ sequence: v.number() })) });
export type RecordsAnswer = v.InferOutput<typeof recordsAnswer>;

/** Answer to `GET /v1/audit/sessions/<name>`. */
export const sessionRecordsAnswer = v.strictObject({
  /** How many records concern the session in the newest tree, signed; not on further pages. */
  statement: v.optional(note),
  /** Newest first. */
  records: v.array(provedRecord),
});
export type SessionRecordsAnswer = v.InferOutput<typeof sessionRecordsAnswer>;

export const readCheckpoint = route({
  method: 'GET',
  path: '/v1/audit/checkpoint',
  summary: 'The newest checkpoint of the audit log',
  description: 'With what vouches for the key that signed it; docs/formats/audit-log.md has both.',
  who: 'anybody',
  access: 'anybody',
  beforeAttestation: true,
  answers: { 200: { meaning: 'a signed note', schema: checkpointAnswer } },
  errors: [],
});

export const proveConsistency = route({
  method: 'GET',
  path: '/v1/audit/consistency',
  summary: 'The proof that the log of `size` records continues that of `first` records',
  description: 'RFC 9162 §2.1.4.',
  who: 'anybody',
  access: 'anybody',
  beforeAttestation: true,
  query: { first: count, size: count },
  answers: { 200: { meaning: 'the hashes', schema: proofAnswer } },
  errors: ['CAS_AUDIT_RANGE'],
});

export const proveInclusion = route({
  method: 'GET',
  path: '/v1/audit/inclusion',
  summary: 'The proof that record `sequence` is in the log of `size` records',
  description: 'RFC 9162 §2.1.3. It says nothing of what is in the record.',
  who: 'anybody',
  access: 'anybody',
  query: { sequence: count, size: count },
  answers: { 200: { meaning: 'the hashes', schema: proofAnswer } },
  errors: ['CAS_AUDIT_RANGE'],
});

export const readAuditRecords = route({
  method: 'GET',
  path: '/v1/audit/records',
  summary: 'Records of the whole audit log from `from` on',
  description: 'As many as fit into an answer; ask again from the next one on.',
  who: 'whom the setting of CAS names as auditors',
  access: 'identified',
  query: { from: count, to: v.optional(count) },
  answers: { 200: { meaning: 'the records', schema: recordsAnswer } },
  errors: ['CAS_AUDIT_FORBIDDEN', 'CAS_AUDIT_RANGE'],
});

export const readSessionRecords = route({
  method: 'GET',
  path: '/v1/audit/sessions/{name}',
  summary: 'All records that concern a session, with proofs that they are all',
  description:
    'Newest first, also of releases to services of other sessions. The first answer has a signed statement of how many there are; ' +
    'for the rest ask with its `size`, and with `before` as the record that the oldest one names.',
  who: 'whom `read` of the present version names',
  access: 'policy',
  parameters: { name: sessionName },
  query: { before: v.optional(count), size: v.optional(count) },
  answers: { 200: { meaning: 'the records', schema: sessionRecordsAnswer } },
  errors: ['CAS_SESSION_NOT_FOUND', 'CAS_AUDIT_RANGE'],
});

export const attestAuditKey = route({
  method: 'POST',
  path: '/v1/audit/attest',
  summary: 'Evidence about the key that signs the audit log, bound to this connection',
  description: 'docs/protocol/binding.md says what the report data is.',
  who: 'anybody',
  access: 'anybody',
  body: { types: ['application/json'], schema: attestRequest, limit: 1024 },
  answers: { 200: { meaning: 'the evidence', schema: attestAnswer } },
  errors: ['CAS_EVIDENCE_UNAVAILABLE'],
});
