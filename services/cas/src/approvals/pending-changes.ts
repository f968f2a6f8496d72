import * as v from 'valibot';
import type { AuditEvent } from '@ensconce/audit/event';
import { CasError } from '../errors.ts';
import type { State } from '../state/state.ts';
import { pendingRecord, type PendingChange } from './pending-record.ts';

const table = 'pending-updates';
/** What may wait for one session: whoever may propose cannot fill the disk. */
const most = { changes: 8, characters: 4 * 1024 * 1024 } as const;

/** The updates and deletions in the database that wait for signatures. */
export class PendingChanges {
  readonly #state: State;

  constructor(state: State) {
    this.#state = state;
  }

  /** Those that can still count: not past their time, and of the version that is present. */
  of(name: string, present: string | null, now: Date): readonly PendingChange[] {
    const record = this.#state.store.get(table, name);
    if (record === undefined) return [];
    return v
      .parse(pendingRecord, record)
      .updates.filter(
        ({ predecessor, expires }) => predecessor === present && Date.parse(expires) > now.getTime(),
      );
  }

  /** Keeps these and no others; the event is durable before. */
  async keep(name: string, changes: readonly PendingChange[], event: AuditEvent): Promise<void> {
    const characters = changes.reduce((sum, one) => sum + ('text' in one ? one.text.length : 0), 0);
    if (changes.length > most.changes || characters > most.characters) {
      throw new CasError(
        'CAS_APPROVALS_FULL',
        `session '${name}': at most ${most.changes} changes with ${most.characters} characters may wait, more found`,
        { hint: 'withdraw or veto one of them first' },
      );
    }
    const { store, audit } = this.#state;
    const position = await audit.append(event, store.sequence + 1);
    store.commit([{ table, name, value: { updates: changes } }], position);
  }
}
