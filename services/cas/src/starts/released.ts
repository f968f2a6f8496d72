import type { Released } from '@ensconce/audit/event';
import { secretsByName } from '@ensconce/policy/secret-format';
import type { Secret } from '@ensconce/policy/session';
import type { Lookup } from '@ensconce/policy/substitution';
import type { StoredSession } from '../sessions/session-record.ts';
import type { VolumeOwner } from '../volumes/volume-record.ts';

/** As many imports one after the other as are followed when values are had. */
const longestChain = 16;

/** What goes into one configuration, by the session that owns it: the audit log gets this list before the configuration leaves. */
export class ReleaseList {
  readonly #find: (session: string) => StoredSession | undefined;
  readonly #secrets = new Map<string, Set<string>>();
  readonly #volumes = new Map<string, Set<string>>();

  constructor(find: (session: string) => StoredSession | undefined) {
    this.#find = find;
  }

  /** The same lookup of `of`'s secrets; each that gives a value is on the list from then on. */
  recording(of: StoredSession, lookup: Lookup): Lookup {
    return (reference) => {
      const value = lookup(reference);
      const secret = value === undefined ? undefined : secretOf(of, reference.name);
      if (secret !== undefined) this.#addSecret(of, secret, longestChain);
      return value;
    };
  }

  /** A secret of `of` by its name; where it is imported, of its exporters too. */
  addSecret(of: StoredSession, name: string): void {
    const secret = secretOf(of, name);
    if (secret !== undefined) this.#addSecret(of, secret, longestChain);
  }

  addVolume({ session, volume }: VolumeOwner): void {
    add(this.#volumes, session, volume);
  }

  list(): Released[] {
    const sessions = [...new Set([...this.#secrets.keys(), ...this.#volumes.keys()])].toSorted();
    return sessions.map((session) => ({
      secrets: [...(this.#secrets.get(session) ?? [])].toSorted(),
      session,
      volumes: [...(this.#volumes.get(session) ?? [])].toSorted(),
    }));
  }

  /** An imported secret is its exporter's, and of whom that one has it from. */
  #addSecret(of: StoredSession, secret: Secret, chain: number): void {
    add(this.#secrets, of.session.name, secret.name);
    const from = secret.import;
    if (from === undefined || from.from.casUrl !== undefined || chain === 0) return;
    const exporter = this.#find(from.from.session);
    const exported = exporter && secretOf(exporter, from.secret);
    if (exporter !== undefined && exported !== undefined) this.#addSecret(exporter, exported, chain - 1);
    else add(this.#secrets, from.from.session, from.secret);
  }
}

/** The secret that a reference means: one of that name, else the one before the last dot (`redis.crt`). */
function secretOf({ session }: StoredSession, name: string): Secret | undefined {
  const secrets = secretsByName(session);
  const dot = name.lastIndexOf('.');
  return secrets.get(name) ?? (dot < 0 ? undefined : secrets.get(name.slice(0, dot)));
}

function add(lists: Map<string, Set<string>>, session: string, name: string): void {
  const list = lists.get(session) ?? new Set();
  lists.set(session, list.add(name));
}
