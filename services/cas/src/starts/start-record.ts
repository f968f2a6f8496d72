import * as v from 'valibot';
import type { Released } from '@ensconce/audit/event';
import { fromUtf8, utf8 } from '@ensconce/base/bytes';
import { fragmentNames } from '@ensconce/policy/fragments';
import { templateSecrets, usedSecrets } from '@ensconce/policy/service-secrets';
import { imageOf, type Service } from '@ensconce/policy/session';
import { restoreTerms, termsOf, type StartTerms } from '@ensconce/policy/start-terms';
import { unsupportedBy } from '@ensconce/policy/unsupported';
import { constantLookup } from '@ensconce/secrets/delivery';
import { isSettled, nextRenewal } from '@ensconce/secrets/generate';
import { neededSecrets } from '@ensconce/secrets/needed';
import { storedHash, storedId, type StoredSession } from '../sessions/session-record.ts';
import { isConstant } from './constant.ts';
import { ReleaseList } from './released.ts';
import { renderConfiguration } from './render-configuration.ts';

/**
 * Changes with whatever changes in what a start is judged by, given or refused for: a record of another format is not used. What this one
 * looks like is held by a test.
 */
const format = 1;
/** Services of a session that have one; starts of further ones take the usual way. */
const mostServices = 16;
/** Bytes of one record. To send more takes longer than to make it. */
const largestRecord = 32_768;
const newline = 0x0a;

/** A configuration as the JSON that leaves. */
export interface EncodedConfiguration {
  readonly json: Uint8Array;
}

/** All that a start of one service takes of one version of its session, secrets put in. */
export interface StartRecord {
  /** Number of the session's record that it was made of, {@link Store.versionOf}: it holds for no other. */
  readonly of: number;
  /** Of the session. */
  readonly id: string;
  readonly hash: string;
  /** From then on a certificate has to be made first, milliseconds since 1970; `null` where none ever has. */
  readonly until: number | null;
  readonly terms: StartTerms;
  /** Roots of the layers that the image must have. */
  readonly layers: readonly string[];
  readonly released: readonly Released[];
  readonly configuration: EncodedConfiguration;
  /** Number of commits when it was read, {@link Store.sequence}: until there is another one, it holds. */
  readonly asOf: number;
}

const head = v.strictObject({
  format: v.literal(format),
  of: v.number(),
  id: storedId,
  hash: storedHash,
  until: v.nullable(v.number()),
  layers: v.array(v.string()),
  released: v.array(
    v.strictObject({ secrets: v.array(v.string()), session: v.string(), volumes: v.array(v.string()) }),
  ),
  terms: v.unknown(),
});

/**
 * The start records of a session by service, for those services that have one: whose configuration changes with the stored session alone, is complete,
 * and who need nothing unusual to be let in.
 *
 * @param version number that the session's record has or gets.
 */
export function startRecords(stored: StoredSession, version: number): ReadonlyMap<string, Uint8Array> {
  const { session } = stored;
  const records = new Map<string, Uint8Array>();
  if (stored.stored.deleted !== undefined || fragmentNames(session).length > 0) return records;
  for (const service of session.services.slice(0, mostServices)) {
    const record = recordOf(stored, service, version);
    if (record !== undefined && record.length <= largestRecord) records.set(service.name, record);
  }
  return records;
}

/** What of a service cannot be made is no error here: its start says why. */
function recordOf(stored: StoredSession, service: Service, version: number): Uint8Array | undefined {
  try {
    return encoded(stored, service, version);
  } catch {
    return undefined;
  }
}

function encoded(stored: StoredSession, service: Service, version: number): Uint8Array | undefined {
  const { session, secrets } = stored;
  const { serviceAccessToken, attestation } = session.security;
  const password = service.oneTimePasswordSharedSecret ?? attestation.oneTimePasswordSharedSecret;
  if (serviceAccessToken !== undefined || password !== undefined) return undefined;
  if (!isConstant(session, service) || unsupportedBy(session, service.name).length > 0) return undefined;
  if (!isSettled(session, secrets, neededSecrets(session, usedSecrets(session, service)))) return undefined;
  const image = imageOf(session, service);
  if (image === undefined) return undefined;
  const inTemplates = templateSecrets(session, image);
  const values = constantLookup(session, secrets, new Set(inTemplates.map(({ name }) => name)));
  if (values === undefined) return undefined;
  const released = new ReleaseList(() => undefined);
  const configuration = renderConfiguration({
    stored,
    service,
    image,
    secrets: secrets.secrets,
    lookup: released.recording(stored, values),
    inTemplates,
  });
  const until = nextRenewal(secrets);
  const start = {
    format,
    of: version,
    id: stored.id,
    hash: stored.stored.hash,
    until: Number.isFinite(until) ? until : null,
    layers: image.layers.map(({ root }) => root),
    released: released.list(),
    terms: termsOf(session, service.name),
  } satisfies v.InferInput<typeof head>;
  // JSON has no line breaks of its own: the second line leaves as it is, its secrets are not read again.
  return utf8(`${JSON.stringify(start)}\n${JSON.stringify(configuration)}`);
}

/**
 * Reads a record that is authentic; undefined where it is of another format, or empty.
 *
 * @param asOf number of commits by now.
 */
export function readStartRecord(bytes: Uint8Array, asOf: number): StartRecord | undefined {
  const end = bytes.indexOf(newline);
  if (end < 0) return undefined;
  const read = v.safeParse(head, JSON.parse(fromUtf8(bytes.subarray(0, end))));
  if (!read.success) return undefined;
  const { format: _, terms, ...start } = read.output;
  const configuration = { json: bytes.subarray(end + 1) };
  return { ...start, terms: restoreTerms(terms), configuration, asOf };
}
