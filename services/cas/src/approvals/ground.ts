import { deleteRule, namedKeys } from '@ensconce/policy/access';
import type { AccessRule, Creator } from '@ensconce/policy/session';
import type { WriteRules } from '../sessions/may-write.ts';
import { namespaceOf, rootNamespace } from '../sessions/namespace.ts';
import { resolvedSession } from '../sessions/resolved-session.ts';
import { holdsRight, type ClientIdentity } from '../sessions/session-access.ts';
import type { StoredSession } from '../sessions/session-record.ts';
import type { PendingChange } from './pending-record.ts';

/** Whose signatures decide on changes of a session, and whom it lets see what is proposed. */
export interface Ground {
  /** The present version, or the tombstone of the last one. */
  readonly present: StoredSession | undefined;
  readonly update: AccessRule;
  /** Nobody's where there never was a session. */
  readonly deletion: AccessRule;
  /** Who else has a say: whom the session lets read or, where there is none yet, whom its namespace lets list names. */
  readonly looking: AccessRule;
  /** Whether that lets this identity see all that waits. */
  readonly mayLook: (identity: ClientIdentity) => boolean;
  /** Whom `CREATOR` in the rules means. */
  readonly creator: Creator | undefined;
}

/** Undefined where nobody's signature could bring a session of that name about. */
export async function groundOf(rules: WriteRules, name: string): Promise<Ground | undefined> {
  const present = await resolved(rules, rules.sessions.findTaken(name));
  if (present !== undefined) {
    const { accessPolicy } = present.session;
    return {
      present,
      update: accessPolicy.update,
      deletion: deleteRule(present.session),
      looking: accessPolicy.read,
      mayLook: (identity) => holdsRight(present, 'read', identity).allowed,
      creator: present.stored.creator,
    };
  }
  const namespace = namespaceOf(name);
  const parent = await resolved(rules, namespace === undefined ? undefined : rules.sessions.find(namespace));
  const owners = namespace === undefined || namespace === rootNamespace ? [...rules.owners] : [];
  if (parent === undefined && owners.length === 0) return undefined;
  const { createSessions = [], listSessions = [] } = parent?.session.accessPolicy ?? {};
  return {
    present: undefined,
    update: [...createSessions, ...owners.map(signatureBy)],
    deletion: [],
    looking: listSessions,
    mayLook: (identity) => parent !== undefined && holdsRight(parent, 'listSessions', identity).allowed,
    creator: parent?.stored.creator,
  };
}

/** An owner of CAS is known by the key's hash alone, and by that the rule is judged. */
const signatureBy = (keyHash: string): AccessRule[number] => ({ kind: 'signer', keyHash, pem: '' });

async function resolved(
  { sessions }: WriteRules,
  stored: StoredSession | undefined,
): Promise<StoredSession | undefined> {
  return stored && { ...stored, session: (await resolvedSession(sessions, stored)).session };
}

/** The rule that signatures under a change have to satisfy. */
export const ruleFor = (ground: Ground, change: PendingChange): AccessRule =>
  'text' in change ? ground.update : ground.deletion;

/** Whose key the policy names, for a say in it or for reading; `ANY` names nobody. */
export function mayPropose({ looking, creator }: Ground, rule: AccessRule, key: string): boolean {
  return namedKeys(rule, creator).has(key) || namedKeys(looking, creator).has(key);
}

/** Whose signature under a change can count: whom its rule names, and who begins a session by it. */
export function hasSay(ground: Ground, change: PendingChange, key: string | undefined): boolean {
  if (key === undefined) return false;
  if ('text' in change && change.predecessor === null && change.creator.keyHash === key) return true;
  return namedKeys(ruleFor(ground, change), ground.creator).has(key);
}
