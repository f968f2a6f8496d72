import * as v from 'valibot';

/**
 * What the audit log records (docs/formats/audit-log.md). Never a secret, never an unsalted hash of what could be guessed. An event
 * concerns the sessions that `session`, `owner` and `released` name: CAS numbers it for each of them.
 */

/** `hash` is there only for sessions that have a salt: the hash of an unsalted one would let its secrets be guessed. */
const session = { session: v.string(), hash: v.optional(v.string()) };
/** Key hash of the client; null where it showed no certificate. */
const identity = v.nullable(v.string());
/** Key hashes of those who signed, where signatures stand in place of the connection's identity. */
const signers = v.optional(v.array(v.string()));
const service = { session: v.string(), service: v.string() };

/** What hardware said of the program, and what the verifier made of it. */
export const attestedEvidence = v.strictObject({
  tee: v.picklist(['sgx', 'tdx', 'snp']),
  /** True where no hardware stands behind it. */
  simulated: v.boolean(),
  debug: v.boolean(),
  /** The image measurement. */
  image: v.string(),
  /** MRENCLAVE, MRTD or MEASUREMENT. */
  code: v.string(),
  /** MRSIGNER, or the digest of SEV-SNP's ID key; null where nobody signed. */
  signer: v.nullable(v.string()),
  /** The machine: platform instance id, PPID or CHIP_ID; null where the platform masks it. */
  platform: v.nullable(
    v.strictObject({ kind: v.picklist(['platform-instance', 'ppid', 'chip']), id: v.string() }),
  ),
  /** In the vendor's words; null where the vendor has none. */
  tcbStatus: v.nullable(v.string()),
  tcbDate: v.nullable(v.string()),
  advisories: v.array(v.string()),
});
export type AttestedEvidence = v.InferOutput<typeof attestedEvidence>;

/** What of one session left CAS with an answer, by name. */
export const releasedOf = v.strictObject({
  /** The session that owns it: it made the secret, or defines the volume. */
  session: v.string(),
  secrets: v.array(v.string()),
  /** Volumes whose keys were given. */
  volumes: v.array(v.string()),
});
export type Released = v.InferOutput<typeof releasedOf>;

export const auditEvent = v.variant('type', [
  v.strictObject({
    type: v.literal('CAS started'),
    /** Hex SHA-256 of `casKey`. */
    casIdentity: v.string(),
    /** The endorsement of the key that signs this log. */
    casKey: v.string(),
    auditKey: v.string(),
    endorsement: v.string(),
    acceptsSimulation: v.boolean(),
    /** Where records go besides the file. */
    sink: v.nullable(v.strictObject({ url: v.string(), witness: v.boolean() })),
  }),
  v.strictObject({ type: v.literal('CAS exited') }),
  v.strictObject({ type: v.literal('Simulated evidence accepted for the first time') }),
  /** A change of the database that no other event announces, written down where a witness counts commits. */
  v.strictObject({ type: v.literal('State committed') }),
  v.strictObject({ type: v.literal('Session created'), ...session, identity, signers }),
  v.strictObject({
    type: v.literal('Session read'),
    ...session,
    identity,
    /** Whether the reader got the values of secrets that stand in the text; `secrets` are their names then. */
    secretsShown: v.boolean(),
    secrets: v.array(v.string()),
  }),
  v.strictObject({ type: v.literal('Session updated'), ...session, identity, signers }),
  v.strictObject({
    type: v.picklist(['Session update proposed', 'Session deletion proposed']),
    session: v.string(),
    identity,
    /** RFC 3339: when CAS forgets it. */
    expires: v.string(),
  }),
  v.strictObject({
    type: v.picklist(['Session update approved', 'Session deletion approved']),
    session: v.string(),
    signer: v.string(),
  }),
  v.strictObject({
    type: v.picklist(['Session update vetoed', 'Session deletion vetoed']),
    session: v.string(),
    signer: v.string(),
    /** Whether it was dropped by that. */
    dropped: v.boolean(),
  }),
  v.strictObject({
    type: v.picklist(['Session update withdrawn', 'Session deletion withdrawn']),
    session: v.string(),
    identity,
  }),
  v.strictObject({ type: v.literal('Session deleted'), ...session, identity, signers }),
  v.strictObject({
    type: v.literal('Client attested'),
    identity,
    tee: attestedEvidence.entries.tee,
    /** As of services. */
    code: attestedEvidence.entries.code,
    signer: attestedEvidence.entries.signer,
    simulated: v.boolean(),
  }),
  v.strictObject({
    type: v.literal('Client refused'),
    identity,
    code: v.string(),
    reason: v.array(v.string()),
  }),
  v.strictObject({ type: v.literal('Certificates renewed'), session: v.string() }),
  v.strictObject({ type: v.literal('Secrets made'), session: v.string() }),
  v.strictObject({
    type: v.literal('Import bound'),
    /** It imports from `other`, or exports to it. */
    session: v.string(),
    as: v.picklist(['importer', 'exporter']),
    /** A name: of a session of this CAS, or of the one with key hash `cas`. */
    other: v.string(),
    cas: v.optional(v.string()),
  }),
  v.strictObject({
    type: v.literal('Secrets exported'),
    session: v.string(),
    released: v.array(releasedOf),
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
    ...service,
    evidence: attestedEvidence,
    released: v.array(releasedOf),
  }),
  v.strictObject({
    /** Its session has `mode: none`: anybody could have been given this. */
    type: v.literal('Service configured without evidence'),
    ...service,
    released: v.array(releasedOf),
  }),
  v.strictObject({
    type: v.literal('Service refused'),
    /** As the host asked for it: untrusted text. */
    configId: v.string(),
    code: v.string(),
    reason: v.array(v.string()),
    /** Where the evidence was genuine, made for this CAS, and the session exists: strangers cannot fill a session's list. */
    session: v.optional(v.string()),
    evidence: v.optional(attestedEvidence),
  }),
  v.strictObject({
    type: v.literal('Volume FSPF tag updated'),
    ...service,
    /** The session that defines the volume, and its name there. */
    owner: v.string(),
    volume: v.string(),
    /** Tags between opening and closing are kept in the database and not in the log. */
    on: v.picklist(['open', 'close']),
    epoch: v.number(),
    tag: v.string(),
  }),
  v.strictObject({ type: v.literal('Service started'), ...service }),
  v.strictObject({
    type: v.literal('Service exited'),
    ...service,
    /** Exit status of the application; null where the connection ended without a report. */
    status: v.nullable(v.number()),
  }),
]);
export type AuditEvent = v.InferOutput<typeof auditEvent>;

/** The events that are written before the commit they announce; the rest follow a commit. */
const announcing: ReadonlySet<string> = new Set<AuditEvent['type']>([
  'Session created',
  'Session updated',
  'Session update proposed',
  'Session update approved',
  'Session update vetoed',
  'Session update withdrawn',
  'Session deletion proposed',
  'Session deletion approved',
  'Session deletion vetoed',
  'Session deletion withdrawn',
  'Session deleted',
  'Certificates renewed',
  'Secrets made',
  'Import bound',
  'Volume FSPF tag updated',
  'Simulated evidence accepted for the first time',
  'State committed',
]);

export const announces = (type: string): boolean => announcing.has(type);

/** The sessions that an event concerns, each once. */
export function sessionsOf(event: AuditEvent): readonly string[] {
  const names: string[] = [];
  if ('session' in event && event.session !== undefined) names.push(event.session);
  if ('owner' in event) names.push(event.owner);
  if ('released' in event) for (const released of event.released) names.push(released.session);
  return [...new Set(names)];
}

/** The secrets and volumes of `owner` that left CAS with an event. */
export function releasedFrom(event: AuditEvent, owner: string): Omit<Released, 'session'> {
  switch (event.type) {
    case 'Secrets exported':
    case 'Service attested':
    case 'Service configured without evidence': {
      const own = event.released.filter((released) => released.session === owner);
      return { secrets: own.flatMap((one) => one.secrets), volumes: own.flatMap((one) => one.volumes) };
    }
    case 'Session read':
    case 'Value read':
      return { secrets: event.session === owner ? event.secrets : [], volumes: [] };
    default:
      return { secrets: [], volumes: [] };
  }
}
