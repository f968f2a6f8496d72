import type { State } from '../state/state.ts';
import { holdsRight, notFound, type ClientIdentity } from './session-access.ts';
import type { StoredVersion } from './session-record.ts';
import type { Sessions } from './sessions.ts';

/** The present version of a session, or the one with `hash`, for whom the present version lets read. Audited. */
export async function readSession(
  state: State,
  sessions: Sessions,
  request: { readonly name: string; readonly hash: string | undefined; readonly identity: ClientIdentity },
): Promise<StoredVersion> {
  const { name, hash, identity } = request;
  const present = sessions.find(name);
  if (present === undefined || !holdsRight(present, 'read', identity).allowed) throw notFound(name);
  const version = hash === undefined ? present.stored : sessions.findVersion(name, hash);
  if (version === undefined) throw notFound(name);
  await state.audit.append(
    { type: 'Session read', session: name, identity: identity.keyHash ?? null },
    state.store.sequence,
  );
  return version;
}
