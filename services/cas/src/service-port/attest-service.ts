import * as v from 'valibot';
import type { AttestedEvidence } from '@ensconce/audit/event';
import { describeIssue } from '@ensconce/base/issue';
import type { ImageDescription } from '@ensconce/measurement/image';
import { findService } from '@ensconce/policy/session';
import type { Verdict } from '@ensconce/verify/verdict';
import type { Appraisal } from '@ensconce/verify/appraisal';
import { attest, type Attest } from '@ensconce/wire/attestation';
import type { EvidenceFormat } from '@ensconce/wire/evidence-format';
import { CollateralError } from '@ensconce/collateral/errors';
import type { WatermarkStore } from '@ensconce/collateral/watermarks';
import type { StartRecord } from '../starts/start-record.ts';
import { attestedEvidence } from '../audit/attested-evidence.ts';
import { CasError } from '../errors.ts';
import { checkMaaToken, type MaaPolicy, type MaaTokens } from '../evidence/maa.ts';
import type { OwnPlatforms } from '../evidence/own-platform.ts';
import type { EvidenceVerifier } from '../evidence/verifier.ts';
import type { StoredSession } from '../sessions/session-record.ts';
import { admit } from './admit.ts';
import { appraiseService, untrustworthy } from './appraise.ts';
import type { Delivered } from './configure.ts';
import { nameOf, parseConfigId, type ConfigId } from './config-id.ts';
import { measuredImage, unmeasuredImage, type DescriptionContext } from './described-image.ts';
import { checkBinding, expectedReportData, instanceOf, type PeerConnection } from './peer-connection.ts';
import { genuineClaims, type ServiceClaims } from './genuine.ts';
import type { OneTimePasswords } from './one-time-passwords.ts';
import type { InsecurePermissions } from './permissions.ts';
import type { SingleService, Singletons } from './singletons.ts';
import { fromRecord, fromSession, type SourceContext, type StartSource } from './start-source.ts';
import { withoutEvidence, type InsecureWithoutEvidence } from './without-evidence.ts';

export interface AttestContext extends DescriptionContext, SourceContext {
  readonly verifier: EvidenceVerifier;
  readonly watermarks: WatermarkStore;
  /** SubjectPublicKeyInfo (DER) of CAS. */
  readonly casPublicKey: Uint8Array;
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
export interface AttestedService extends Delivered {
  readonly id: ConfigId;
  readonly proof: Proof;
  /** Where only the process that started last counts: which, by the key of its connections. */
  readonly singleton: { readonly of: SingleService; readonly instance: string } | undefined;
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
  const { source, description, measurement } = proved;
  const { session: terms } = source.terms;
  const service = findService(terms, id.service);
  const start = await source.open({ description, measurement, now: context.now() });
  const { security } = terms;
  await admit(context, { security, service, lookup: start.lookup, message, id, instance });
  const { configuration, volumes, released } = await start.deliver();
  const singleton = security.singletonEnclaves
    ? { of: { sessionId: source.id, service: id.service, text: nameOf(id) }, instance }
    : undefined;
  if (singleton !== undefined) {
    await context.singletons.claim(singleton.of, singleton.instance, message.again === true);
  }
  start.checkPresent();
  return { id, proof: proved.proof, configuration, volumes, released, singleton };
}

interface Proved {
  readonly source: StartSource;
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
  const expected = expectedReportData(connection, {
    configId: message.configId,
    casPublicKey: context.casPublicKey,
  });
  const evidence = Buffer.from(message.evidence, 'base64');
  const verdict = await judged(context, { ...message, format }, evidence);
  const claims = genuineClaims(verdict, format);
  checkBinding(claims, expected);
  const encoded = Buffer.from(message.description, 'base64');
  const { description, measurement } = measuredImage(context, encoded, claims, id);
  findings.evidence = attestedEvidence(verdict, claims, measurement);
  const found = findStart(context, id);
  findings.session = id.session;
  const source = 'of' in found ? fromRecord(context, found, id) : await fromSession(context, found, id);
  const { terms } = source;
  const { attestation } = terms.session.security;
  const { appraisal, policy } = appraiseService(
    terms,
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
  return { source, proof: { appraisal, claims, measurement }, description, measurement };
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
  const source = await fromSession(context, found, id);
  const { attestation, reference } = source.terms.session.security;
  if (attestation.mode !== 'none' || reference !== undefined || attestation.reference !== undefined)
    return undefined;
  checkAdmitted(found, id);
  const image = unmeasuredImage(context, Buffer.from(message.description, 'base64'));
  return { source, proof: { insecure }, ...image };
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
export function checkFormat(message: Pick<Attest, 'format' | 'certificates'>): void {
  if (message.format === 'snp' || message.certificates === undefined) return;
  throw new CasError(
    'CAS_SERVICE_UNSUPPORTED',
    `evidence: a quote with its certificates inside expected for format ${message.format}, a certificate table found`,
  );
}

function findStart(context: AttestContext, id: ConfigId): StoredSession | StartRecord {
  const found = context.sessions.findForStart(id.session, id.service, context.now());
  if (found === undefined || !('of' in found)) checkAdmitted(found, id);
  return found;
}

function checkAdmitted(stored: StoredSession | undefined, id: ConfigId): asserts stored {
  if (stored?.session.services.some(({ name }) => name === id.service) === true) return;
  throw untrustworthy(
    `service '${id.session}/${id.service}': it does not exist, or its session does not admit this program`,
    'check SCONE_CONFIG_ID, and that the session was created at this CAS',
  );
}
