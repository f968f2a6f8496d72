import * as v from 'valibot';

/** `hash` is there only for sessions that have a salt: the hash of an unsalted one would let its secrets be guessed. */
const session = { session: v.string(), hash: v.optional(v.string()) };
const identity = v.nullable(v.string());
/** Key hashes of those who signed, where signatures stand in place of the connection's identity. */
const signers = v.optional(v.array(v.string()));

/** What a service showed when it was attested. `simulated` is true where no hardware stands behind it. */
const measured = {
  mrenclave: v.string(),
  mrsigner: v.string(),
  simulated: v.boolean(),
};

/** What the audit log records (docs/formats/audit-log.md). Never a secret, never a value of little entropy. */
export const auditEvent = v.variant('type', [
  v.strictObject({
    type: v.literal('CAS started'),
    /** Hex SHA-256 of `casKey`. */
    casIdentity: v.string(),
    /** SubjectPublicKeyInfo (DER), base64: of CAS, and of the key that signs this log. */
    casKey: v.string(),
    auditKey: v.string(),
    /** ECDSA by CAS's key over the audit key (docs/formats/audit-log.md), base64. */
    endorsement: v.string(),
    acceptsSimulation: v.boolean(),
  }),
  v.strictObject({ type: v.literal('CAS exited') }),
  v.strictObject({ type: v.literal('Simulated evidence accepted for the first time') }),
  v.strictObject({ type: v.literal('Session created'), ...session, identity, signers }),
  v.strictObject({
    type: v.literal('Session read'),
    ...session,
    identity,
    /** Whether the reader got the values of secrets that stand in the text. */
    secretsShown: v.boolean(),
  }),
  v.strictObject({ type: v.literal('Session updated'), ...session, identity, signers }),
  v.strictObject({
    type: v.literal('Session update proposed'),
    session: v.string(),
    identity,
    /** RFC 3339: when CAS forgets it. */
    expires: v.string(),
  }),
  v.strictObject({ type: v.literal('Session update approved'), session: v.string(), signer: v.string() }),
  v.strictObject({
    type: v.literal('Session update vetoed'),
    session: v.string(),
    signer: v.string(),
    /** Whether the update was dropped by it. */
    dropped: v.boolean(),
  }),
  v.strictObject({ type: v.literal('Session update withdrawn'), session: v.string(), identity }),
  v.strictObject({ type: v.literal('Client attested'), identity, ...measured }),
  v.strictObject({
    type: v.literal('Client refused'),
    identity,
    code: v.string(),
    reason: v.array(v.string()),
  }),
  v.strictObject({ type: v.literal('Session deleted'), ...session, identity }),
  v.strictObject({ type: v.literal('Certificates renewed'), session: v.string() }),
  v.strictObject({ type: v.literal('Secrets made'), session: v.string() }),
  v.strictObject({
    type: v.literal('Import bound'),
    importer: v.string(),
    exporter: v.string(),
    /** Key hash of the other CAS, where one of the two is a session of another. */
    cas: v.optional(v.string()),
  }),
  v.strictObject({
    type: v.literal('Secrets exported'),
    session: v.string(),
    secrets: v.array(v.string()),
    /** Key hash of the other CAS. */
    cas: v.string(),
    /** Its session, as it says. */
    importer: v.string(),
  }),
  v.strictObject({
    type: v.literal('Value read'),
    session: v.string(),
    secrets: v.array(v.string()),
    identity,
  }),
  v.strictObject({
    type: v.literal('Service attested'),
    session: v.string(),
    service: v.string(),
    ...measured,
  }),
  v.strictObject({
    type: v.literal('Service attested in a guest'),
    session: v.string(),
    service: v.string(),
    tee: v.picklist(['tdx', 'snp']),
    /** The image measurement. */
    image: v.string(),
    /** MRTD, or MEASUREMENT of the report. */
    guest: v.string(),
    simulated: v.boolean(),
  }),
  v.strictObject({
    /** Its session has `mode: none`: anybody could have been given this. */
    type: v.literal('Service configured without evidence'),
    session: v.string(),
    service: v.string(),
  }),
  v.strictObject({
    type: v.literal('Service refused'),
    /** As the host asked for it: untrusted text. */
    configId: v.string(),
    code: v.string(),
    reason: v.array(v.string()),
  }),
  v.strictObject({
    type: v.literal('Volume FSPF tag updated'),
    session: v.string(),
    service: v.string(),
    /** The session that defines the volume, and its name there. */
    owner: v.string(),
    volume: v.string(),
    /** Tags between opening and closing are kept in the database and not in the log. */
    on: v.picklist(['open', 'close']),
    epoch: v.number(),
    tag: v.string(),
  }),
  v.strictObject({ type: v.literal('Service started'), session: v.string(), service: v.string() }),
  v.strictObject({
    type: v.literal('Service exited'),
    session: v.string(),
    service: v.string(),
    /** Exit status of the application; null where the connection ended without a report. */
    status: v.nullable(v.number()),
  }),
]);
export type AuditEvent = v.InferOutput<typeof auditEvent>;

/** One line of the log, without its signature. */
export const auditRecord = v.strictObject({
  format: v.literal('ensconce-audit/1'),
  sequence: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  /** RFC 3339, UTC; the host's clock. */
  time: v.string(),
  /** Number of the database commit that this record belongs to or, for an event that changes nothing, that it follows. */
  state: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  /** Hex SHA-256 of the line before, signature included; 64 zeros in the first. */
  previous: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  event: auditEvent,
});
export type AuditRecord = v.InferOutput<typeof auditRecord>;

export const signedAuditRecord = v.strictObject({
  ...auditRecord.entries,
  /** Ed25519 by the audit key over the canonical JSON of the other members, base64. */
  signature: v.pipe(v.string(), v.base64()),
});
export type SignedAuditRecord = v.InferOutput<typeof signedAuditRecord>;

/** The events that are written before the commit they announce; the rest follow a commit. */
const announcing: ReadonlySet<AuditEvent['type']> = new Set([
  'Session created',
  'Session updated',
  'Session update proposed',
  'Session update approved',
  'Session update vetoed',
  'Session update withdrawn',
  'Session deleted',
  'Certificates renewed',
  'Secrets made',
  'Import bound',
  'Volume FSPF tag updated',
  'Simulated evidence accepted for the first time',
]);

/** The oldest state that the database can be in once this record is in the log. */
export function oldestStateAfter(record: AuditRecord): number {
  return announcing.has(record.event.type) ? record.state - 1 : record.state;
}
