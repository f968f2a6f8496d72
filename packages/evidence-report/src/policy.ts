import { parse } from 'yaml';
import { EnsconceError } from '@ensconce/base/errors';
import { servicePolicy } from '@ensconce/policy/attestation';
import { givenFragments, resolveFragments } from '@ensconce/policy/fragments';
import { parseSessionOrThrow } from '@ensconce/policy/parse';
import type { Service, Session } from '@ensconce/policy/session';
import { parseAppraisalPolicy } from '@ensconce/verify/policy-file';
import type { AppraisalPolicy } from '@ensconce/verify/policy';
import { EvidenceReportError } from './errors.ts';

/** What `--policy` and the options beside it say. */
export interface PolicyOptions {
  /** A file of docs/evidence.md, or a session. */
  readonly policy?: string | undefined;
  /** The service of the session; its only one unless given. */
  readonly service?: string | undefined;
  /** The key of CAS that guests must have been launched for, 64 hexadecimal digits. */
  readonly casIdentity?: string | undefined;
  /** Values for `$NAME` in a session. */
  readonly variables?: Readonly<Record<string, string>> | undefined;
}

export interface ReadPolicy {
  readonly policy: AppraisalPolicy;
  /** What the judgement leaves to CAS. */
  readonly notes: readonly string[];
}

/** A session names itself and its services at its top level; the file of docs/evidence.md has neither key. */
const sessionKey = /^(?:\{\s*)?["']?(?:name|services)["']?\s*:/m;

/** The policy in an untrusted text; `path` is for messages. Throws `EvidenceReportError`. */
export function readPolicy(text: string, path: string, options: PolicyOptions): ReadPolicy {
  if (sessionKey.test(text)) return readSessionPolicy(text, path, options);
  if (options.service !== undefined || options.casIdentity !== undefined) {
    throw problem(path, 'a session expected beside --service and --cas-identity, another policy found');
  }
  let value: unknown;
  try {
    value = parse(text, { maxAliasCount: 0 });
  } catch (cause) {
    throw problem(path, 'YAML or JSON expected, something else found', { cause });
  }
  return { policy: attempt(path, () => parseAppraisalPolicy(value)), notes: [] };
}

/** The very judgement that CAS gives, but for what only an exchange with CAS shows. */
function readSessionPolicy(text: string, path: string, options: PolicyOptions): ReadPolicy {
  const written = attempt(path, () => parseSessionOrThrow(text, { variables: options.variables ?? {} }));
  const { session, unresolved } = resolveFragments(written, givenFragments(written));
  const service = chosen(session, path, options.service);
  const casIdentity = identityOf(service, path, options.casIdentity);
  const {
    mode,
    appraisal,
    mustBeSgxLocal,
    unresolved: own,
  } = servicePolicy(session, service.name, {
    reportData: 'not-checked',
    casIdentity,
  });
  if (mode === 'none') {
    throw problem(
      path,
      `a session that asks for evidence expected, mode none found: CAS gives ${service.name} to anybody`,
    );
  }
  return {
    policy: appraisal,
    notes: [
      ...unresolved
        .filter((reason) => own.some((reference) => reason.startsWith(`${reference}:`)))
        .map((reason) => `not resolved without CAS, so satisfied by nothing: ${reason}`),
      ...(mode === 'maa' ? ['mode maa: CAS asks for a token of the attestation provider besides'] : []),
      ...(mustBeSgxLocal
        ? ['must_be_sgx_local: only CAS knows its own machine, here every other is refused']
        : []),
      ...(appraisal.tolerate.includes('debug-mode')
        ? ['debug-mode is tolerated here; a CAS does so only if it was started with --insecure-accept-debug']
        : []),
    ],
  };
}

function chosen(session: Session, path: string, name: string | undefined): Service {
  const { services } = session;
  const found =
    name === undefined && services.length === 1 ? services[0] : services.find((one) => one.name === name);
  if (found !== undefined) return found;
  const names = services.map((one) => one.name).join(', ') || 'none';
  throw problem(
    path,
    `a service of the session expected (${names}), ${name === undefined ? 'none named' : name} found`,
    { hint: 'name one with --service' },
  );
}

/** A guest is launched for one CAS: without knowing which, nobody can say what must stand in its evidence. */
function identityOf(service: Service, path: string, given: string | undefined): string | undefined {
  if (given !== undefined && !/^[0-9a-fA-F]{64}$/.test(given)) {
    throw problem(path, '64 hexadecimal digits expected for --cas-identity, something else found');
  }
  if (given === undefined && (service.tdx !== undefined || service.snp !== undefined)) {
    throw problem(
      path,
      `the identity of CAS expected: service ${service.name} names guests, which are launched for one CAS`,
      {
        hint: 'give --cas-identity (ensconce cas list shows it)',
      },
    );
  }
  return given?.toLowerCase();
}

function attempt<Result>(path: string, read: () => Result): Result {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof EnsconceError)) throw cause;
    throw problem(path, 'a policy for evidence, or a session, expected', {
      cause,
      ...(cause.hint === undefined ? {} : { hint: cause.hint }),
    });
  }
}

function problem(
  path: string,
  message: string,
  details?: { readonly cause?: unknown; readonly hint?: string },
): EvidenceReportError {
  return new EvidenceReportError('EVIDENCE_POLICY_FILE', `${path}: ${message}`, details);
}
