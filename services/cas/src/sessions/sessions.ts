import * as v from 'valibot';
import type { Json } from '@ensconce/base/json';
import { parseSessionOrThrow } from '@ensconce/policy/parse';
import { withCreator } from '@ensconce/policy/session';
import { parseSecretState } from '@ensconce/secrets/state';
import type { State } from '../state/state.ts';
import { storedSession, storedVersion, type StoredSession, type StoredVersion } from './session-record.ts';

/** Characters of session text whose parsed form stays in memory. */
const cacheSize = 16 * 1024 * 1024;

/** The sessions in the database. */
export class Sessions {
  readonly #state: State;
  /** Most recently used last. */
  readonly #cache = new Map<string, StoredSession>();
  #cached = 0;

  constructor(state: State) {
    this.#state = state;
  }

  /** The present version of a session, undefined where there is none of that name. */
  find(name: string): StoredSession | undefined {
    const cached = this.#cache.get(name);
    const found = cached ?? this.#load(name);
    if (found !== undefined) this.#remember(name, found);
    return found;
  }

  /** A version of a session by its hash. */
  findVersion(name: string, hash: string): StoredVersion | undefined {
    const value = this.#state.store.get('session-version', `${name}@${hash}`);
    return value === undefined ? undefined : v.parse(storedVersion, value);
  }

  /** Makes a version the present one. `audit` is the durable record that announced it. */
  write(next: StoredSession, audit: { sequence: number; hash: string }): void {
    const { stored } = next;
    this.#state.store.commit(
      [
        {
          table: 'session',
          name: stored.name,
          value: { ...stored, secrets: next.secrets as unknown as Json },
        },
        { table: 'session-version', name: `${stored.name}@${stored.hash}`, value: stored },
      ],
      audit,
    );
    this.#remember(stored.name, next);
  }

  #load(name: string): StoredSession | undefined {
    const value = this.#state.store.get('session', name);
    if (value === undefined) return undefined;
    const { secrets, ...stored } = v.parse(storedSession, value);
    const session = withCreator(parseSessionOrThrow(stored.text), stored.creator);
    return { stored, session, secrets: parseSecretState(secrets) };
  }

  #remember(name: string, session: StoredSession): void {
    this.#forget(name);
    this.#cache.set(name, session);
    this.#cached += session.stored.text.length;
    for (const oldest of this.#cache.keys()) {
      if (this.#cached <= cacheSize) break;
      this.#forget(oldest);
    }
  }

  #forget(name: string): void {
    this.#cached -= this.#cache.get(name)?.stored.text.length ?? 0;
    this.#cache.delete(name);
  }
}
