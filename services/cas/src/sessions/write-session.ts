import { EnsconceError } from '@ensconce/base/errors';
import { toHex } from '@ensconce/base/bytes';
import { PolicyError } from '@ensconce/policy/errors';
import { parseSessionOrThrow } from '@ensconce/policy/parse';
import { withCreator, type Creator, type Session } from '@ensconce/policy/session';
import { sessionHash } from '@ensconce/policy/session-hash';
import { generateSecrets } from '@ensconce/secrets/generate';
import { CasError } from '../errors.ts';
import type { Author } from './author.ts';
import type { State } from '../state/state.ts';
import type { Random } from '../store/record-cipher.ts';
import { replacedBy, type WriteRules } from './may-write.ts';
import { mayDo } from './session-access.ts';
import type { StoredSession, StoredVersion } from './session-record.ts';
import type { Sessions } from './sessions.ts';

export interface WriteRequest {
  /** YAML, untrusted. */
  readonly text: string;
  readonly author: Author;
  /** The name in the address, where the request has one; the YAML must agree. */
  readonly name?: string;
  /** Hash that the present version must have. */
  readonly ifMatch?: string | undefined;
  /** Whether the version that is present already may be written again, without effect. */
  readonly idempotent?: boolean;
}

export interface WriteContext extends WriteRules {
  readonly state: State;
  readonly random: Random;
  readonly now: () => Date;
}

export interface Written {
  readonly version: StoredVersion;
  readonly created: boolean;
}

/**
 * Creates a session or, where it names a predecessor, updates it or brings it back. Runs alone: what it checks still
 * holds when it commits. The audit record is durable before the commit, the commit before the answer.
 */
export async function writeSession(context: WriteContext, request: WriteRequest): Promise<Written> {
  const { state, sessions } = context;
  const { author } = request;
  const parsed = parse(request);
  const same = request.idempotent === true ? await sameVersion(sessions, parsed, author) : undefined;
  if (same !== undefined) return { version: same, created: false };
  const present = await replacedBy(context, parsed, author, request.ifMatch);
  const creator = present?.stored.creator ?? author.creator;
  checkCreator(parsed, creator);
  const next = await makeVersion(context, request.text, parsed, creator, present);
  const position = await state.audit.append(
    {
      type: present === undefined ? 'Session created' : 'Session updated',
      session: parsed.name,
      ...(parsed.salt === undefined ? {} : { hash: next.stored.hash }),
      identity: author.keyHash ?? null,
      ...(author.signers === undefined ? {} : { signers: [...author.signers] }),
    },
    state.store.sequence + 1,
  );
  sessions.write(next, position);
  return { version: next.stored, created: present?.stored.deleted !== undefined || present === undefined };
}

/** What a text from a request says. Throws `CAS_SESSION_INVALID` with every wrong line. */
export function parseWritten(text: string): Session {
  try {
    return parseSessionOrThrow(text);
  } catch (cause) {
    throw invalid('session: it cannot be accepted as it stands', cause);
  }
}

function parse(request: WriteRequest): Session {
  const session = parseWritten(request.text);
  if (request.name !== undefined && request.name !== session.name) {
    throw new CasError(
      'CAS_SESSION_INVALID',
      `session: the name in the address, '${request.name}', expected, '${session.name}' found`,
    );
  }
  return session;
}

/** Problems of a session that its author caused, line by line; anything else is not the author's business. */
function invalid(message: string, cause: unknown): unknown {
  if (!(cause instanceof EnsconceError)) return cause;
  const lines =
    cause instanceof PolicyError
      ? cause.problems
          .filter((problem) => problem.severity === 'error')
          .slice(0, 20)
          .map((problem) => `line ${problem.line} column ${problem.column}: ${problem.message}`)
      : [];
  const chain = lines.length > 0 ? lines : [cause.message];
  const inner = chain.reduceRight<Error | undefined>(
    (next, line) => (next === undefined ? new Error(line) : new Error(line, { cause: next })),
    undefined,
  );
  return new CasError('CAS_SESSION_INVALID', message, {
    cause: inner,
    hint: cause.hint ?? 'ensconce session check FILE shows all of it without a server',
  });
}

/** The present version, where it is this very one and its author may have written it. */
async function sameVersion(
  sessions: Sessions,
  parsed: Session,
  author: Author,
): Promise<StoredVersion | undefined> {
  const present = sessions.find(parsed.name);
  if (present === undefined || !(await mayDo(sessions, present, 'update', author))) return undefined;
  const hash = sessionHash(withCreator(parsed, present.stored.creator));
  return hash === present.stored.hash ? present.stored : undefined;
}

function checkCreator(session: Session, creator: Creator): void {
  if (session.creator !== undefined && session.creator.keyHash !== creator.keyHash) {
    throw new CasError(
      'CAS_SESSION_INVALID',
      `session '${session.name}': creator ${creator.keyHash} or none expected, ${session.creator.keyHash} found`,
      { hint: 'leave creator out: CAS fills it in' },
    );
  }
}

async function makeVersion(
  context: WriteContext,
  text: string,
  parsed: Session,
  creator: Creator,
  present: StoredSession | undefined,
): Promise<StoredSession> {
  const session = withCreator(parsed, creator);
  const hash = sessionHash(session);
  const now = context.now();
  try {
    return {
      id: present?.id ?? toHex(context.random(16)),
      session,
      stored: {
        name: session.name,
        hash,
        predecessor: session.predecessor ?? null,
        creator: { kind: creator.kind, pem: creator.pem, keyHash: creator.keyHash },
        text,
        written: now.toISOString(),
      },
      secrets: await generateSecrets(session, {
        random: context.random,
        now,
        ...(present === undefined ? {} : { previous: { session: present.session, state: present.secrets } }),
      }),
    };
  } catch (cause) {
    throw invalid(`session '${session.name}': its secrets could not be made`, cause);
  }
}
