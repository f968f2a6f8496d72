import type { SessionList } from '@ensconce/api/schema';
import { rootNamespace } from './namespace.ts';
import { mayDo, notFound, type Rights } from './session-access.ts';
import type { Sessions } from './sessions.ts';

export interface ListRequest {
  /** The root namespace if absent. */
  readonly namespace: string | undefined;
  readonly rights: Rights;
  readonly limit: number;
  /** The name behind which to begin. */
  readonly cursor: string | undefined;
  /** Key hashes of who owns this CAS. */
  readonly owners: ReadonlySet<string>;
}

/**
 * Names of the sessions directly in a namespace, for whom its session lets list them. Of the root namespace everybody
 * sees what they created, and the owner of CAS all.
 */
export async function listSessions(sessions: Sessions, request: ListRequest): Promise<SessionList> {
  const { rights, limit } = request;
  const namespace = request.namespace ?? rootNamespace;
  const after = request.cursor ?? '';
  const session = sessions.find(namespace);
  const mayList =
    (session !== undefined && (await mayDo(sessions, session, 'listSessions', rights))) ||
    (namespace === rootNamespace && request.owners.has(rights.keyHash ?? ''));
  if (!mayList && namespace !== rootNamespace) throw notFound(namespace);
  const { names, more } = mayList
    ? sessions.names.inNamespace(namespace, after, limit)
    : sessions.names.createdBy(rights.keyHash ?? '', after, limit);
  return { sessions: names.map((name) => ({ name })), next: more ? (names.at(-1) ?? null) : null };
}
