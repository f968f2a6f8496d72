import { createHash } from 'node:crypto';
import { encodeFields } from '@ensconce/base/fields';
import { utf8 } from '@ensconce/base/bytes';
import { parseSessionOrThrow } from '@ensconce/policy/parse';
import type { Session } from '@ensconce/policy/session';
import { sessionHash } from '@ensconce/policy/session-hash';
import { parseSecretState } from '@ensconce/secrets/state';
import { CasError } from '../errors.ts';
import type { State } from '../state/state.ts';
import { deletedSession } from './read-session.ts';
import { resolvedSession } from './resolved-session.ts';
import { holdsRight, notFound, type Rights } from './session-access.ts';
import { versionsFrom } from './history.ts';
import type { StoredSession, StoredVersion } from './session-record.ts';
import type { Sessions } from './sessions.ts';

export interface DeleteContext {
  readonly state: State;
  readonly sessions: Sessions;
  readonly now: () => Date;
}

export interface DeleteRequest {
  readonly name: string;
  readonly rights: Rights;
  /** Id that the session must have, where the request has one. */
  readonly id?: string;
  /** Hash that the present version must have. */
  readonly ifMatch: string;
}

/**
 * Deletes a session: the texts of all its versions and its secrets are gone, its name, id, chain of hashes and volumes
 * stay. Whom `update` named may bring it back as the tombstone's successor, nobody else gets the name. Runs alone, like
 * every change.
 */
export async function deleteSession(context: DeleteContext, request: DeleteRequest): Promise<StoredVersion> {
  const { state, sessions } = context;
  const { name, rights, ifMatch } = request;
  const found = sessions.findTaken(name);
  if (found === undefined) throw notFound(name);
  const present = { ...found, session: (await resolvedSession(sessions, found)).session };
  if (!holdsRight(present, 'delete', rights).allowed) throw notFound(name);
  const { hash, deleted } = present.stored;
  if (deleted !== undefined) throw deletedSession(present.stored);
  if (ifMatch !== hash) {
    throw new CasError(
      'CAS_PRECONDITION_FAILED',
      `session '${name}': version ${hash} is present, If-Match has ${ifMatch}`,
      { hint: 'somebody updated it in the meantime: read it, and decide again' },
    );
  }
  if (request.id !== undefined && request.id !== present.id) {
    throw new CasError(
      'CAS_PRECONDITION_FAILED',
      `session '${name}': id ${present.id} is present, the request has ${request.id}`,
      {
        hint: 'sign the deletion of the session that is there: ensconce session history --json shows its id',
      },
    );
  }
  const now = context.now().toISOString();
  const tombstone = tombstoneOf(present, now);
  const older: StoredVersion[] = [];
  for (const version of versionsFrom(sessions, name, hash)) {
    if (version.deleted === undefined) older.push({ ...version, text: '', deleted: now });
  }
  const position = await state.audit.append(
    {
      type: 'Session deleted',
      session: name,
      ...(present.session.salt === undefined ? {} : { hash: tombstone.stored.hash }),
      identity: rights.keyHash ?? null,
      ...(rights.signers === undefined ? {} : { signers: [...rights.signers] }),
    },
    state.store.sequence + 1,
  );
  sessions.write(tombstone, position, older);
  return tombstone.stored;
}

/**
 * What is left: who was allowed what, so that the name knows its owner. References in access rules are left as what they
 * stood for, since the secrets that they mean are gone.
 */
function tombstoneOf({ id, stored, session }: StoredSession, now: string): StoredSession {
  const left: Session = {
    ...parseSessionOrThrow('name: tombstone\nversion: "0.3.12"\n'),
    name: session.name,
    creator: session.creator,
    salt: session.salt,
    accessPolicy: session.accessPolicy,
    delete: session.delete,
    predecessor: stored.hash,
  };
  return {
    id,
    session: left,
    secrets: parseSecretState({ version: 1, secrets: {} }),
    stored: {
      name: stored.name,
      hash: tombstoneHash(left),
      predecessor: stored.hash,
      creator: stored.creator,
      text: '',
      written: now,
      deleted: now,
    },
  };
}

/** docs/formats/session-hash.md: never the hash of a session that could be uploaded. */
function tombstoneHash(left: Session): string {
  return createHash('sha256')
    .update(encodeFields('ensconce session tombstone 1', [utf8(sessionHash(left))]))
    .digest('hex');
}
