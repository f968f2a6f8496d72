import type { StoredSession } from './session-record.ts';

/** Characters of session text whose parsed form stays in memory. */
const keptSize = 16 * 1024 * 1024;
/** Sessions on trial: some more than starts run at once, for each asks several times for its own. */
const trialSize = 64;
/**
 * Names of a generation of sessions that were asked for; those of two are remembered. Of what is asked for evenly among many more, few come
 * again so soon; what fits in memory does after some times.
 */
const generation = 512;

/**
 * The sessions that are in memory in their parsed form. One that is asked for again soon after its trial is kept, the least recently used
 * goes first (the 2Q algorithm of Johnson and Shasha). Where starts are drawn from more sessions than fit, nearly all of them
 * are garbage at once, which costs nothing; each one kept would live until it costs the most.
 */
export class SessionCache {
  /** Least recently used first. */
  readonly #kept = new Map<string, StoredSession>();
  #size = 0;
  /** Oldest first. */
  readonly #onTrial = new Map<string, StoredSession>();
  #names = new Set<string>();
  #earlierNames = new Set<string>();

  get(name: string): StoredSession | undefined {
    const kept = this.#kept.get(name);
    if (kept === undefined) return this.#onTrial.get(name);
    this.#kept.delete(name);
    this.#kept.set(name, kept);
    return kept;
  }

  /** Whether a session that is not in memory was asked for lately: {@link set} will keep it. */
  expects(name: string): boolean {
    return this.#names.has(name) || this.#earlierNames.has(name);
  }

  /** Remembers that a session was asked for which needed not be in memory for that. */
  remember(name: string): void {
    this.#names.add(name);
    if (this.#names.size < generation) return;
    this.#earlierNames = this.#names;
    this.#names = new Set();
  }

  /** A session that was read from the database, or that was written to it: then it takes the place of its earlier version. */
  set(name: string, session: StoredSession): void {
    const again = this.#names.delete(name) || this.#earlierNames.delete(name);
    if (this.#forget(name) || again) this.#keep(name, session);
    else this.#try(name, session);
  }

  #keep(name: string, session: StoredSession): void {
    this.#onTrial.delete(name);
    this.#kept.set(name, session);
    this.#size += sizeOf(session);
    for (const oldest of this.#kept.keys()) {
      if (this.#size <= keptSize) break;
      this.#forget(oldest);
    }
  }

  #try(name: string, session: StoredSession): void {
    this.#onTrial.set(name, session);
    if (this.#onTrial.size <= trialSize) return;
    const [oldest = ''] = this.#onTrial.keys();
    this.#onTrial.delete(oldest);
    this.remember(oldest);
  }

  /** Whether it was kept. */
  #forget(name: string): boolean {
    const session = this.#kept.get(name);
    if (session !== undefined) this.#size -= sizeOf(session);
    return this.#kept.delete(name);
  }
}

/** What is small as text still costs memory. */
const sizeOf = ({ stored }: StoredSession): number => stored.text.length + 2000;
