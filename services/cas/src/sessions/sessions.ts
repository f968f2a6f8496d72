import * as v from 'valibot';
import type { Json } from '@ensconce/base/json';
import { restoreSession, storeSession } from '@ensconce/policy/stored';
import { parseSecretState, restoreSecretState } from '@ensconce/secrets/state';
import { CasError } from '../errors.ts';
import { defaultLimits } from '../limits.ts';
import type { State } from '../state/state.ts';
import type { Change } from '../store/store.ts';
import { readStartRecord, startRecords, type StartRecord } from '../starts/start-record.ts';
import { allows, type Binding } from './bindings.ts';
import { SessionCache } from './session-cache.ts';
import { SessionNames } from './session-names.ts';
import {
  storedName,
  storedSession,
  storedVersion,
  type StoredName,
  type StoredSession,
  type StoredVersion,
} from './session-record.ts';

/** The sessions in the database. */
export class Sessions {
  readonly #state: State;
  readonly names: SessionNames;
  /** How many names may be taken. */
  readonly limit: number;
  readonly #cache = new SessionCache();

  constructor(state: State, limit = defaultLimits.sessions) {
    this.#state = state;
    this.limit = limit;
    this.names = SessionNames.of(namesIn(state));
  }

  /**
   * Throws `CAS_SESSIONS_FULL` where no further name may be taken. For whom it lets create that session alone: how many others there are
   * is nobody else's business.
   */
  checkRoom(name: string): void {
    const { taken } = this.names;
    if (taken < this.limit) return;
    throw new CasError(
      'CAS_SESSIONS_FULL',
      `session '${name}': this CAS holds at most ${this.limit} sessions, deleted ones included, and has ${taken}`,
      {
        hint:
          'sessions that exist can be updated, and deleted ones brought back by who may update them, but no deletion makes room; ' +
          'whoever runs CAS can raise ensconce cas serve --max-sessions',
      },
    );
  }

  /** The present version of a session, undefined where there is none of that name or it was deleted. */
  find(name: string): StoredSession | undefined {
    const found = this.findTaken(name);
    return found?.stored.deleted === undefined ? found : undefined;
  }

  /** The present version of a session or, where it was deleted, its tombstone. */
  findTaken(name: string): StoredSession | undefined {
    const cached = this.#cache.get(name);
    if (cached !== undefined) return cached;
    const found = this.#load(name);
    if (found !== undefined) this.#cache.set(name, found);
    return found;
  }

  /** Whether that import or export may mean the other session: the one that it was first resolved with, or none was yet. */
  allows(binding: Binding): boolean {
    return allows(this.#state, binding);
  }

  /** A version of a session by its hash. */
  findVersion(name: string, hash: string): StoredVersion | undefined {
    const value = this.#state.store.get('session-version', `${name}@${hash}`);
    return value === undefined ? undefined : v.parse(storedVersion, value);
  }

  /**
   * Makes a version the present one, and changes older versions of it. `audit` is the durable record that announced it.
   */
  write(
    next: StoredSession,
    audit: { sequence: number; hash: string },
    older: readonly StoredVersion[] = [],
  ): void {
    const { store } = this.#state;
    const changes = changesOf(next, store.nextVersionOf('session', next.stored.name));
    const versions = older.map((version) => versionChange(version));
    store.commit([...changes, ...this.#emptied(next, changes), ...versions], audit);
    this.names.set(nameOf(next));
    this.#cache.set(next.stored.name, next);
  }

  /**
   * What a start of a service takes: the session as {@link find} has it or, where that is not in memory and was not asked for lately, the start
   * record of the service, if there is one that holds now.
   */
  findForStart(name: string, service: string, now: Date): StoredSession | StartRecord | undefined {
    const cached = this.#cache.get(name);
    if (cached !== undefined) return cached.stored.deleted === undefined ? cached : undefined;
    const record = this.#cache.expects(name) ? undefined : this.#startRecord(name, service, now);
    if (record === undefined) return this.find(name);
    this.#cache.remember(name);
    return record;
  }

  #startRecord(session: string, service: string, now: Date): StartRecord | undefined {
    const { store } = this.#state;
    const bytes = store.read('start', startName(session, service));
    const record = bytes && readStartRecord(bytes, store.sequence);
    if (record === undefined || !this.#holds(session, record)) return undefined;
    return record.until === null || now.getTime() < record.until ? record : undefined;
  }

  /** Whether a version of a session, or that of which a start record is, is the present one. */
  isPresent(session: string, version: { readonly hash: string } | StartRecord): boolean {
    if ('of' in version && (version.asOf === this.#state.store.sequence || this.#holds(session, version)))
      return true;
    return this.find(session)?.stored.hash === version.hash;
  }

  /** Nothing was written in place of what the record was made of: no other version, no tombstone, no secret anew. */
  #holds(session: string, { of }: StartRecord): boolean {
    return this.#state.store.versionOf('session', session) === of;
  }

  /** What the version before gave in start records that this one does not have is gone with it. */
  #emptied({ stored: { name } }: StoredSession, changes: readonly Change[]): Change[] {
    const { store } = this.#state;
    const written = new Set(changes.flatMap((change) => (change.table === 'start' ? [change.name] : [])));
    const before = this.findTaken(name)?.session.services ?? [];
    return before
      .map((service) => startName(name, service.name))
      .filter((start) => !written.has(start) && store.versionOf('start', start) !== undefined)
      .map((start) => ({ table: 'start', name: start, bytes: new Uint8Array(0) }));
  }

  #load(name: string): StoredSession | undefined {
    const value = this.#state.store.get('session', name);
    if (value === undefined) return undefined;
    const { id, secrets, session, sessionHash: _, ...stored } = v.parse(storedSession, value);
    return { id, stored, session: restoreSession(session), secrets: restoreSecretState(secrets) };
  }
}

/**
 * What stands in the database of a session's present version, and of its services. Its secrets are held here, so that they need not be at
 * each reading.
 *
 * @param version number that the session's record gets ({@link Store.nextVersionOf}).
 */
export function changesOf(next: StoredSession, version: number): Change[] {
  const { id, stored, session, secrets } = next;
  const value = {
    ...stored,
    id,
    ...storeSession(session),
    secrets: parseSecretState(secrets) as unknown as Json,
  } as Json;
  const starts = [...startRecords(next, version)].map(([service, bytes]) => ({
    table: 'start',
    name: startName(stored.name, service),
    bytes,
  }));
  return [
    { table: 'session', name: stored.name, value },
    { table: 'session-name', name: stored.name, value: nameOf({ stored }) },
    versionChange(stored),
    ...starts,
  ];
}

/** Names of services hold no slash. */
const startName = (session: string, service: string): string => `${session}/${service}`;

const versionChange = (version: StoredVersion): Change => ({
  table: 'session-version',
  name: `${version.name}@${version.hash}`,
  value: version,
});

const nameOf = ({ stored }: { readonly stored: StoredVersion }): StoredName => ({
  name: stored.name,
  creator: stored.creator.keyHash,
  deleted: stored.deleted !== undefined,
});

function* namesIn(state: State): Generator<StoredName> {
  for (const value of state.store.all('session-name')) yield v.parse(storedName, value);
}
