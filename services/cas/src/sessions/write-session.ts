import { EnsconceError } from '@ensconce/base/errors';
import { PolicyError } from '@ensconce/policy/errors';
import { parseSessionOrThrow } from '@ensconce/policy/parse';
import { withCreator, type Creator, type Session } from '@ensconce/policy/session';
import { sessionHash } from '@ensconce/policy/session-hash';
import type { SessionSignature } from '@ensconce/policy/signature';
import { generateSecrets } from '@ensconce/secrets/generate';
import { CasError } from '../errors.ts';
import type { State } from '../state/state.ts';
import type { Random } from '../store/record-cipher.ts';
import { holdsRight, notFound, type ClientIdentity } from './session-access.ts';
import { writerOf } from './writer.ts';
import type { StoredSession, StoredVersion } from './session-record.ts';
import type { Sessions } from './sessions.ts';

export interface WriteRequest {
  /** YAML, untrusted. */
  readonly text: string;
  readonly identity: ClientIdentity;
  /** Signatures that stand in place of the connection's identity. */
  readonly signatures?: readonly SessionSignature[];
  /** The creator as CAS filled it in before the signatures were made, where the text names none. */
  readonly creator?: Creator;
  /** The name in the address, where the request has one; the YAML must agree. */
  readonly name?: string;
}

export interface WriteContext {
  readonly state: State;
  readonly sessions: Sessions;
  readonly random: Random;
  readonly now: () => Date;
  /** Whether that key may create sessions outside any namespace. */
  readonly mayCreateTopLevel: (keyHash: string) => boolean;
}

/**
 * Creates a session or, where it names a predecessor, updates it. Runs alone: what it checks still holds when it
 * commits. The audit record is durable before the commit, the commit before the answer.
 */
export async function writeSession(context: WriteContext, request: WriteRequest): Promise<StoredVersion> {
  const { state, sessions } = context;
  const parsed = parseWritten(request);
  const present = sessions.find(parsed.name);
  const writer = writerOf(context, request, parsed);
  const { identity } = writer;
  if (present === undefined) checkCreate(context, parsed, identity);
  else checkUpdate(present, parsed, identity);
  const creator = present?.stored.creator ?? writer.creator;
  checkCreator(parsed, creator);
  const next = await makeVersion(context, request.text, parsed, creator, present);
  const position = await state.audit.append(
    {
      type: present === undefined ? 'Session created' : 'Session updated',
      session: parsed.name,
      ...(parsed.salt === undefined ? {} : { hash: next.stored.hash }),
      identity: identity.keyHash ?? null,
      ...(identity.signers === undefined ? {} : { signers: [...identity.signers] }),
    },
    state.store.sequence + 1,
  );
  sessions.write(next, position);
  return next.stored;
}

/** What a request's text says. Throws `CAS_SESSION_INVALID` with every wrong line. */
export function parseWritten(request: WriteRequest): Session {
  let session: Session;
  try {
    session = parseSessionOrThrow(request.text);
  } catch (cause) {
    throw invalid('session: it cannot be accepted as it stands', cause);
  }
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

function checkCreate(context: WriteContext, session: Session, identity: ClientIdentity): void {
  // A predecessor that is not there looks like one that is not theirs.
  if (session.predecessor !== undefined) throw notFound(session.name);
  const slash = session.name.lastIndexOf('/');
  if (slash < 0) {
    const keys = [identity.keyHash, ...(identity.signers ?? [])];
    if (keys.some((key) => key !== undefined && context.mayCreateTopLevel(key))) return;
    throw new CasError(
      'CAS_SESSION_FORBIDDEN',
      `session '${session.name}': this identity may not create top-level sessions`,
      {
        hint: 'ask whoever runs CAS to list your key hash (ensconce self show-key-hash)',
      },
    );
  }
  const parent = context.sessions.find(session.name.slice(0, slash));
  if (parent === undefined || !holdsRight(parent, 'createSessions', identity).allowed) {
    throw new CasError(
      'CAS_SESSION_FORBIDDEN',
      `session '${session.name}': its namespace does not exist, or this identity may not create sessions in it`,
      { hint: 'create the session of the namespace first; its access_policy says who may create_sessions' },
    );
  }
  if (session.namespaceHash !== undefined && session.namespaceHash !== parent.stored.hash) {
    throw new CasError(
      'CAS_PREDECESSOR_MISMATCH',
      `session '${session.name}': namespace_hash of the present parent session expected, another one found`,
    );
  }
}

function checkUpdate(present: StoredSession, session: Session, identity: ClientIdentity): void {
  const { name, hash } = present.stored;
  if (!holdsRight(present, 'update', identity).allowed) {
    // A name can be taken only once, so that it is taken cannot be hidden; nothing else of it shows.
    throw session.predecessor === undefined
      ? new CasError('CAS_SESSION_EXISTS', `session '${name}': a free name expected, it is taken`, {
          hint: 'choose another name',
        })
      : notFound(name);
  }
  if (session.predecessor === undefined) {
    throw new CasError(
      'CAS_SESSION_EXISTS',
      `session '${name}': a free name expected, it exists with hash ${hash}`,
      {
        hint: `to replace it, write predecessor: ${hash} into it, or use ensconce session update`,
      },
    );
  }
  if (session.predecessor !== hash) {
    throw new CasError(
      'CAS_PREDECESSOR_MISMATCH',
      `session '${name}': predecessor ${hash} expected, ${session.predecessor} found`,
      { hint: 'somebody updated it in the meantime: read it, merge, and send it again' },
    );
  }
  if (session.namespaceHash !== undefined) {
    throw new CasError('CAS_SESSION_INVALID', `session '${name}': no namespace_hash expected in an update`);
  }
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
