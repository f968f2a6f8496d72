import type { SessionRead } from '@ensconce/api/schema';
import { formatSession } from '@ensconce/policy/format';
import { parseSessionOrThrow } from '@ensconce/policy/parse';
import type { Secret } from '@ensconce/policy/session';
import { CasError } from '../errors.ts';
import type { State } from '../state/state.ts';
import { mayDo, notFound, type ClientIdentity } from './session-access.ts';
import type { StoredVersion } from './session-record.ts';
import type { Sessions } from './sessions.ts';

export interface ReadRequest {
  readonly name: string;
  readonly hash: string | undefined;
  /** Whether the values of secrets shall stand in the text. */
  readonly secretsShown: boolean;
  readonly identity: ClientIdentity;
}

/** The present version of a session, or the one with `hash`, for whom the present version lets read. Audited. */
export async function readSession(
  state: State,
  sessions: Sessions,
  request: ReadRequest,
): Promise<SessionRead> {
  const { name, hash, identity, secretsShown } = request;
  const present = sessions.findTaken(name);
  if (present === undefined || !(await mayDo(sessions, present, 'read', identity))) throw notFound(name);
  const version = hash === undefined ? present.stored : sessions.findVersion(name, hash);
  if (version === undefined) throw notFound(name);
  if (version.deleted !== undefined) throw deletedSession(present.stored);
  const parsed = parseSessionOrThrow(version.text);
  const text = secretsShown ? version.text : formatSession(parsed, { secrets: 'redacted' });
  await state.audit.append(
    {
      type: 'Session read',
      session: name,
      identity: identity.keyHash ?? null,
      secretsShown,
      secrets: secretsShown ? parsed.secrets.filter(hasValue).map((secret) => secret.name) : [],
    },
    state.store.sequence,
  );
  return {
    id: present.id,
    name: version.name,
    hash: version.hash,
    predecessor: version.predecessor,
    creator: version.creator,
    session: text,
    redacted: !secretsShown,
  };
}

/** Whether the text itself has the value; one that CAS made is in no text. */
const hasValue = ({ value, privateKey, applicationSecret }: Secret): boolean =>
  value !== undefined || privateKey !== undefined || applicationSecret !== undefined;
/** For those who may know; to all others a deleted session looks like none. */
export function deletedSession({ name, hash, deleted }: StoredVersion): CasError {
  return deleted === undefined
    ? new CasError('CAS_SESSION_DELETED', `session '${name}': this version was deleted`)
    : new CasError('CAS_SESSION_DELETED', `session '${name}': it was deleted ${deleted}`, {
        hint: `whom its update named can bring it back: upload it with predecessor: ${hash}`,
      });
}
