import type { Session } from '@ensconce/policy/session';
import { CasError } from '../errors.ts';
import type { Author } from './author.ts';
import { namespaceOf, rootNamespace } from './namespace.ts';
import { mayDo, notFound } from './session-access.ts';
import type { StoredSession } from './session-record.ts';
import type { Sessions } from './sessions.ts';

export interface WriteRules {
  readonly sessions: Sessions;
  /** Key hashes of who owns this CAS and so may create sessions outside any namespace. */
  readonly owners: ReadonlySet<string>;
  /** Whether everybody may create those. */
  readonly anybodyCreates: boolean;
}

/**
 * What stands under the name that `author` may replace; undefined where the session is new. A refusal tells those who
 * may not update a session no more than that its name is taken, and that only to who could have created it.
 */
export async function replacedBy(
  rules: WriteRules,
  session: Session,
  author: Author,
  ifMatch: string | undefined,
): Promise<StoredSession | undefined> {
  const taken = rules.sessions.findTaken(session.name);
  if (taken !== undefined && (await mayDo(rules.sessions, taken, 'update', author))) {
    checkUpdate(taken, session, ifMatch);
    return taken;
  }
  if (session.predecessor !== undefined || ifMatch !== undefined) throw notFound(session.name);
  await checkCreate(rules, session, author);
  if (taken === undefined) {
    rules.sessions.checkRoom(session.name);
    return undefined;
  }
  throw new CasError('CAS_SESSION_EXISTS', `session '${session.name}': a free name expected, it is taken`, {
    hint: 'choose another name',
  });
}

async function checkCreate(rules: WriteRules, session: Session, author: Author): Promise<void> {
  const { name } = session;
  const namespace = namespaceOf(name);
  const parent = namespace === undefined ? undefined : rules.sessions.find(namespace);
  if (!(await mayCreate(rules, namespace, parent, author))) {
    throw namespace === undefined || namespace === rootNamespace
      ? new CasError(
          'CAS_SESSION_FORBIDDEN',
          `session '${name}': this identity may not create top-level sessions`,
          { hint: 'ask whoever runs CAS to list your key hash (ensconce self show-key-hash)' },
        )
      : new CasError(
          'CAS_SESSION_FORBIDDEN',
          `session '${name}': its namespace does not exist, or this identity may not create sessions in it`,
          {
            hint: 'create the session of the namespace first; its access_policy says who may create_sessions',
          },
        );
  }
  if (session.namespaceHash !== undefined && session.namespaceHash !== parent?.stored.hash) {
    throw new CasError(
      'CAS_PREDECESSOR_MISMATCH',
      `session '${name}': namespace_hash of the present parent session expected, another one found`,
    );
  }
}

async function mayCreate(
  rules: WriteRules,
  namespace: string | undefined,
  parent: StoredSession | undefined,
  author: Author,
): Promise<boolean> {
  if (parent !== undefined && (await mayDo(rules.sessions, parent, 'createSessions', author))) return true;
  const owner = [author.keyHash, ...(author.signers ?? [])].some(
    (key) => key !== undefined && rules.owners.has(key),
  );
  // Whoever had the root namespace would have a say in all others: it is the owner's.
  if (namespace === undefined) return owner;
  return namespace === rootNamespace && (rules.anybodyCreates || owner);
}

function checkUpdate(present: StoredSession, session: Session, ifMatch: string | undefined): void {
  const { name, hash, deleted } = present.stored;
  if (ifMatch !== undefined && ifMatch !== hash) {
    throw new CasError(
      'CAS_PRECONDITION_FAILED',
      `session '${name}': version ${hash} is present, If-Match has another`,
    );
  }
  if (session.predecessor === undefined) {
    throw new CasError(
      'CAS_SESSION_EXISTS',
      deleted === undefined
        ? `session '${name}': a free name expected, it exists with hash ${hash}`
        : `session '${name}': a name never used expected, it was deleted ${deleted}, its tombstone has hash ${hash}`,
      {
        hint: `to ${deleted === undefined ? 'replace it' : 'bring it back'}, write predecessor: ${hash} into it, or use ensconce session update`,
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
