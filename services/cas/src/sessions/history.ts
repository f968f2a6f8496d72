import type { History } from '@ensconce/api/schema';
import { mayDo, notFound, type Rights } from './session-access.ts';
import type { StoredVersion } from './session-record.ts';
import type { Sessions } from './sessions.ts';

/** Versions of a session, from the one with `hash` back to the first. */
export function* versionsFrom(sessions: Sessions, name: string, hash: string): Generator<StoredVersion> {
  for (let next: string | null = hash; next !== null;) {
    const version = sessions.findVersion(name, next);
    if (version === undefined) return;
    yield version;
    next = version.predecessor;
  }
}

export interface HistoryRequest {
  readonly name: string;
  readonly rights: Rights;
  readonly limit: number;
  /** Hash of the version to begin with; the present one if absent. */
  readonly cursor: string | undefined;
}

/** The chain of a session's versions, newest first, for whom it lets read; after a deletion, also for its owner. */
export async function readHistory(sessions: Sessions, request: HistoryRequest): Promise<History> {
  const { name, rights, limit, cursor } = request;
  const present = sessions.findTaken(name);
  if (present === undefined) throw notFound(name);
  const { deleted, hash } = present.stored;
  const allowed =
    (await mayDo(sessions, present, 'read', rights)) ||
    (deleted !== undefined && (await mayDo(sessions, present, 'update', rights)));
  if (!allowed) throw notFound(name);
  const versions: StoredVersion[] = [];
  for (const version of versionsFrom(sessions, name, cursor ?? hash)) {
    versions.push(version);
    if (versions.length === limit) break;
  }
  if (versions.length === 0) throw notFound(name);
  return {
    name,
    id: present.id,
    versions: versions.map((version) => ({
      hash: version.hash,
      predecessor: version.predecessor,
      written: version.written,
      deleted: version.deleted ?? null,
    })),
    next: versions.at(-1)?.predecessor ?? null,
  };
}
