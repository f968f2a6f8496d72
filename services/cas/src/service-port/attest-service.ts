import { createHash, timingSafeEqual, type X509Certificate } from 'node:crypto';
import * as v from 'valibot';
import type { AttestedEvidence, Released } from '@ensconce/audit/event';
import { fromHex } from '@ensconce/base/bytes';
import { describeIssue } from '@ensconce/base/issue';
import { guestConfigId, guestHostData, imageRegister, type GuestPurpose } from '@ensconce/measurement/guest';
import { measureDescription, type ImageDescription } from '@ensconce/measurement/image';
import type { Resolved } from '@ensconce/policy/fragments';
import { findService, type Service } from '@ensconce/policy/session';
import type { Lookup } from '@ensconce/policy/substitution';
import type { Verdict } from '@ensconce/verify/verdict';
import type { Appraisal } from '@ensconce/verify/appraisal';
import { attest, type Attest } from '@ensconce/wire/attestation';
import { reportData } from '@ensconce/wire/binding';
import type { Configuration } from '@ensconce/wire/configuration';
import type { EvidenceFormat } from '@ensconce/wire/evidence-format';
import { CollateralError } from '@ensconce/collateral/errors';
import type { WatermarkStore } from '@ensconce/collateral/watermarks';
import { X509Error } from '@ensconce/x509/errors';
import { subjectPublicKeyInfo } from '@ensconce/x509/spki';
import { attestedEvidence } from '../audit/attested-evidence.ts';
import { CasError } from '../errors.ts';
import { checkMaaToken, type MaaPolicy, type MaaTokens } from '../evidence/maa.ts';
import type { OwnPlatforms } from '../evidence/own-platform.ts';
import type { EvidenceVerifier } from '../evidence/verifier.ts';
import type { SecretValues } from '../sessions/secret-values.ts';
import { resolvedSession } from '../sessions/resolved-session.ts';
import type { Sessions } from '../sessions/sessions.ts';
import type { StoredSession } from '../sessions/session-record.ts';
import type { GivenVolume } from '../volumes/given-volumes.ts';
import type { VolumeTags } from '../volumes/volume-tags.ts';
import { admit } from './admit.ts';
import { appraiseService, untrustworthy } from './appraise.ts';
import { configure, lookupIn, secretsFor } from './configure.ts';
import { nameOf, parseConfigId, type ConfigId } from './config-id.ts';
import type { KnownDescriptions } from './known-descriptions.ts';
import type { PreparedConfigurations } from './prepared-configurations.ts';
import { genuineClaims, type ServiceClaims } from './genuine.ts';
import type { OneTimePasswords } from './one-time-passwords.ts';
import type { InsecurePermissions } from './permissions.ts';
import type { Singletons } from './singletons.ts';
import { withoutEvidence, type InsecureWithoutEvidence } from './without-evidence.ts';

/** What is known of the connection, from this side's own TLS stack. */
export interface PeerConnection {
  readonly certificate: X509Certificate | undefined;
  readonly exporter: Uint8Array;
  /** The 32 bytes that this connection's challenge held. */
  readonly nonce: Uint8Array;
}

export interface AttestContext {
  readonly verifier: EvidenceVerifier;
  readonly watermarks: WatermarkStore;
  readonly sessions: Sessions;
  readonly volumeTags: VolumeTags;
  readonly configurations: Pick<PreparedConfigurations, 'of'>;
  /** SubjectPublicKeyInfo (DER) of CAS. */
  readonly casPublicKey: Uint8Array;
  /** Hex SHA-256 of it. */
  readonly casIdentity: string;
  readonly values: SecretValues;
  readonly descriptions: KnownDescriptions;
  readonly permissions: InsecurePermissions;
  readonly oneTimePasswords: OneTimePasswords;
  readonly singletons: Singletons;
  readonly ownPlatforms: OwnPlatforms;
  readonly maaTokens: MaaTokens;
  readonly now: () => Date;
}

/** Why a service may have its configuration. */
export type Proof =
  /** Accepted, for this service and this connection; `measurement` is that of the image. */
  | { readonly appraisal: Appraisal; readonly claims: ServiceClaims; readonly measurement: string }
  /** The session asks nobody for evidence, and this CAS lets it. */
  | { readonly insecure: InsecureWithoutEvidence };

/** A service that may have the configuration of a session that admits it. */
export interface AttestedService {
  readonly id: ConfigId;
  readonly proof: Proof;
  readonly configuration: Configuration;
  readonly volumes: readonly GivenVolume[];
  /** What of which session is in the configuration. */
  readonly released: readonly Released[];
  /** The process, by the key of its connections, where only the one that started last counts. */
  readonly singleton: string | undefined;
}

/** How far an attestation came, for the record of its refusal. */
export interface Findings {
  /** Genuine, and of this exchange. */
  evidence?: AttestedEvidence;
  /** It exists, and its service of that name too. */
  session?: string;
}

/** Reads the service's frame; it comes from anybody. */
export function parseAttest(frame: unknown): Attest {
  const parsed = v.safeParse(attest, frame);
  if (parsed.success) return parsed.output;
  throw new CasError('CAS_PROTOCOL', `attest: ${describeIssue(parsed.issues[0])}`);
}

/**
 * The steps of an attestation, in order. Until the evidence has held, the answer depends on nothing but the evidence:
 * whether a session exists is learnt only by who proved to be an attested program that obeys this CAS.
 */
export async function attestService(
  context: AttestContext,
  connection: PeerConnection,
  message: Attest,
  findings: Findings = {},
): Promise<AttestedService> {
  checkFormat(message);
  const id = parseConfigId(message.configId);
  const instance = instanceOf(connection);
  const proved =
    (await provedWithoutEvidence(context, message, id)) ??
    (await provedByEvidence(context, connection, message, id, findings));
  const { found, resolved, description, measurement } = proved;
  const service = findService(resolved.session, id.service);
  const now = context.now();
  const { stored, secrets, names } = await secretsFor(
    context.values,
    found,
    service,
    admissionTexts(resolved, service),
  );
  const lookup = (): Promise<Lookup> => lookupIn({ now, measurement }, stored.session, secrets, names);
  await admit(context, { resolved, service, lookup, message, id, instance });
  const { configuration, volumes, released } = await context.configurations.of(
    {
      stored,
      secrets,
      service,
      description,
      measurement,
      values: context.values,
      now,
      volumes: {
        tags: context.volumeTags,
        find: (session) => context.sessions.find(session),
        bind: (importer, exporter) => context.values.bind(importer, exporter),
      },
    },
    configure,
  );
  const singleton = resolved.session.security.singletonEnclaves ? instance : undefined;
  if (singleton !== undefined) {
    await context.singletons.claim(nameOf(id), singleton, message.again === true);
  }
  checkPresent(context, found, stored);
  return { id, proof: proved.proof, configuration, volumes, released, singleton };
}

/** Where references to what whoever starts the service must know may stand. */
function admissionTexts({ session: { security } }: Resolved, service: Service): readonly string[] {
  const { serviceAccessToken = '', attestation } = security;
  return [
    serviceAccessToken,
    service.oneTimePasswordSharedSecret ?? attestation.oneTimePasswordSharedSecret ?? '',
  ];
}

/** What was judged is what is given, and still counts: an update may take something back. */
function checkPresent(context: AttestContext, judgedBy: StoredSession, given: StoredSession): void {
  const { name, hash } = judgedBy.stored;
  if (given.stored.hash === hash && context.sessions.find(name)?.stored.hash === hash) return;
  throw new CasError(
    'CAS_BUSY',
    `session '${name}': one that stays as it is expected, it was updated meanwhile`,
    {
      hint: 'start the service again',
    },
  );
}

interface Proved {
  readonly found: StoredSession;
  readonly resolved: Resolved;
  readonly proof: Proof;
  readonly description: ImageDescription;
  /** That of the description; of the image only where there is evidence. */
  readonly measurement: string;
}

async function provedByEvidence(
  context: AttestContext,
  connection: PeerConnection,
  message: Attest,
  id: ConfigId,
  findings: Findings,
): Promise<Proved> {
  const { format } = message;
  if (format === 'none') {
    throw new CasError('CAS_EVIDENCE_REFUSED', 'evidence of a TEE expected, none found', {
      hint: 'start the service in a TEE, or for tests with a LAS that simulates one',
    });
  }
  const expected = expectedReportData(context, connection, message);
  const evidence = Buffer.from(message.evidence, 'base64');
  const verdict = await judged(context, { ...message, format }, evidence);
  const claims = genuineClaims(verdict, format);
  checkBinding(claims, expected);
  const { description, measurement } = checkDescription(context, message, claims, id);
  findings.evidence = attestedEvidence(verdict, claims, measurement);
  const found = findAdmitted(context, id);
  findings.session = id.session;
  const resolved = await resolvedSession(context.sessions, found, context.values);
  const { attestation } = resolved.session.security;
  const { appraisal, policy } = appraiseService(
    resolved,
    id.service,
    verdict,
    {
      reportData: expected,
      casIdentity: context.casIdentity,
      measurement,
      ownPlatforms: attestation.mustBeSgxLocal ? await context.ownPlatforms() : undefined,
    },
    context.permissions,
  );
  if (policy.maa !== undefined) await checkProvider(context, policy.maa, claims, evidence);
  return { found, resolved, proof: { appraisal, claims, measurement }, description, measurement };
}

/** Mode `maa`: beside the quote, the provider that the session names must vouch for it. */
async function checkProvider(
  context: AttestContext,
  policy: MaaPolicy,
  claims: ServiceClaims,
  quote: Uint8Array,
): Promise<void> {
  if (claims.tee !== 'sgx')
    throw untrustworthy(`mode maa: an SGX quote expected, ${claims.tee} evidence found`);
  const token = await context.maaTokens(policy.url, quote);
  await checkMaaToken(token, policy, claims, context.now());
}

/** Undefined where the session asks for evidence, or this CAS does. */
async function provedWithoutEvidence(
  context: AttestContext,
  message: Attest,
  id: ConfigId,
): Promise<Proved | undefined> {
  const insecure = withoutEvidence(context.permissions);
  const found = insecure === undefined ? undefined : context.sessions.find(id.session);
  if (insecure === undefined || found === undefined) return undefined;
  const resolved = await resolvedSession(context.sessions, found, context.values);
  const { attestation, reference } = resolved.session.security;
  if (attestation.mode !== 'none' || reference !== undefined || attestation.reference !== undefined)
    return undefined;
  findAdmitted(context, id);
  const encoded = Buffer.from(message.description, 'base64');
  const measurement = measureDescription(encoded);
  const description = readDescription(context, encoded, measurement);
  return { found, resolved, proof: { insecure }, description, measurement };
}

/** The key of the connection is made anew by every process: it names that process. */
function instanceOf({ certificate }: PeerConnection): string {
  if (certificate === undefined) {
    throw new CasError('CAS_PROTOCOL', 'attest: a client certificate expected on the connection, none shown');
  }
  return createHash('sha256').update(publicKeyOf(certificate)).digest('hex');
}

/** Collateral below what was seen before decides nothing: newer may say otherwise, and somebody holds it back. */
async function judged(
  context: AttestContext,
  message: Attest & { readonly format: EvidenceFormat },
  evidence: Uint8Array,
): Promise<Verdict> {
  const { verifier, watermarks } = context;
  try {
    return await verifier.verify({
      format: message.format,
      evidence,
      certificates:
        message.certificates === undefined ? undefined : Buffer.from(message.certificates, 'base64'),
      now: context.now(),
      watermarks,
    });
  } catch (cause) {
    if (!(cause instanceof CollateralError)) throw cause;
    throw new CasError('CAS_EVIDENCE_UNDECIDED', 'DCAP quote verification could not be completed', {
      cause,
    });
  }
}

/** Quotes carry their certificates; only an SEV-SNP report has a table beside it. */
function checkFormat(message: Attest): void {
  if (message.format === 'snp' || message.certificates === undefined) return;
  throw new CasError(
    'CAS_SERVICE_UNSUPPORTED',
    `evidence: a quote with its certificates inside expected for format ${message.format}, a certificate table found`,
  );
}

function purposeOf(context: AttestContext, id: ConfigId, measurement: string): GuestPurpose {
  return {
    casIdentity: context.casIdentity,
    configId: nameOf(id),
    measurement,
  };
}

function expectedReportData(context: AttestContext, connection: PeerConnection, message: Attest): Uint8Array {
  if (connection.certificate === undefined) {
    throw new CasError('CAS_PROTOCOL', 'attest: a client certificate expected on the connection, none shown');
  }
  return reportData({
    role: 'service-to-cas',
    publicKey: publicKeyOf(connection.certificate),
    exporter: connection.exporter,
    nonce: connection.nonce,
    configId: message.configId,
    casIdentity: context.casPublicKey,
  });
}

/** As it stands in the certificate: to have OpenSSL write it anew takes as long as a signature. */
function publicKeyOf(certificate: X509Certificate): Uint8Array {
  try {
    return subjectPublicKeyInfo(certificate.raw);
  } catch (cause) {
    if (!(cause instanceof X509Error)) throw cause;
    throw new CasError('CAS_PROTOCOL', 'attest: a client certificate in DER expected, another one found', {
      cause,
    });
  }
}

/** Evidence that was made for another connection, key, challenge, service or CAS is somebody else's. */
function checkBinding(claims: ServiceClaims, expected: Uint8Array): void {
  if (!timingSafeEqual(fromHex(claims.reportData, 64), expected)) {
    throw new CasError(
      'CAS_BINDING_MISMATCH',
      'evidence: report data of this connection, key, challenge, config id and CAS expected, other data found',
      {
        hint: 'the evidence was made for another exchange: it was relayed, or the runtime was given another CAS',
      },
    );
  }
}

/** Where the measurement of the image stands in evidence of each kind, and what must stand there (docs/formats/measurement.md). */
function measuredIn(claims: ServiceClaims, purpose: GuestPurpose): readonly (readonly string[])[] {
  const { measurement } = purpose;
  switch (claims.tee) {
    case 'sgx':
      return [['MRENCLAVE', claims.mrenclave, measurement]];
    case 'tdx':
      return [
        ['RTMR3', claims.rtmr3, imageRegister(measurement)],
        ['MRCONFIGID', claims.mrconfigid, guestConfigId(purpose)],
      ];
    case 'snp':
      return [['HOST_DATA', claims.hostData, guestHostData(purpose)]];
  }
}

/** The description is only as good as the measurement that it hashes to. */
function checkDescription(
  context: AttestContext,
  message: Attest,
  claims: ServiceClaims,
  id: ConfigId,
): { readonly description: ImageDescription; readonly measurement: string } {
  const encoded = Buffer.from(message.description, 'base64');
  const measurement = measureDescription(encoded);
  for (const [name, found, wanted] of measuredIn(claims, purposeOf(context, id, measurement))) {
    if (found === wanted) continue;
    throw untrustworthy(
      claims.tee === 'sgx'
        ? `Unexpected enclave measurement (${name}, ${found}) - Expected ${wanted}, as the image description hashes to`
        : `Unexpected guest measurement (${name}, ${found}) - Expected ${wanted}, as CAS, config id and image description give it`,
      claims.tee === 'sgx'
        ? 'the runtime on that node is not the one that the image was made with: transform the image again, or find out who changed it'
        : 'the guest was launched for another CAS, service or image, or started something else before',
    );
  }
  return { description: readDescription(context, encoded, measurement), measurement };
}

function readDescription(context: AttestContext, encoded: Uint8Array, measurement: string): ImageDescription {
  let description: ImageDescription;
  try {
    description = context.descriptions.read(encoded, measurement);
  } catch (cause) {
    throw untrustworthy(`the measured image description is not of the documented form: ${messageOf(cause)}`);
  }
  if (description.cas.identity !== context.casIdentity) {
    throw untrustworthy(
      `image: it obeys the CAS ${description.cas.identity}, this one is ${context.casIdentity}`,
      'transform the image for this CAS, or start it with the address of its own',
    );
  }
  return description;
}

function findAdmitted(context: AttestContext, id: ConfigId): StoredSession {
  const stored = context.sessions.find(id.session);
  if (stored === undefined || !stored.session.services.some((service) => service.name === id.service)) {
    throw untrustworthy(
      `service '${id.session}/${id.service}': it does not exist, or its session does not admit this program`,
      'check SCONE_CONFIG_ID, and that the session was created at this CAS',
    );
  }
  return stored;
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : 'unreadable');
