import * as v from 'valibot';
import { toHex } from '@ensconce/base/bytes';
import type { AuditEvent } from '@ensconce/audit/event';
import { CasError } from '../errors.ts';
import type { Serial } from '../state/serial.ts';
import type { State } from '../state/state.ts';
import type { Random } from '../store/record-cipher.ts';
import { volumeRecord, volumeRecordName, type VolumeOwner, type VolumeRecord } from './volume-record.ts';

/** Who acts, for the audit log. */
export interface VolumeUser {
  readonly session: string;
  readonly service: string;
}

/** What CAS says of a volume. */
export type TagState = Pick<VolumeRecord, 'tag' | 'epoch'>;

interface Decision<Answer> {
  readonly answer: Answer;
  /** The record from now on, where it changes. */
  readonly next?: VolumeRecord;
  /** Announced in the audit log before the commit. */
  readonly event?: AuditEvent;
}

interface Waiting {
  readonly owner: VolumeOwner;
  /** Looks at the record and says what becomes of it; the returned function tells whoever asked. */
  readonly decide: (record: VolumeRecord) => Decision<() => void>;
  readonly reject: (error: unknown) => void;
}

const unknownVolume: VolumeRecord = { key: null, tag: null, epoch: 0 };
const emptyTag = '0'.repeat(64);

/**
 * Writers of a volume that its owner brought with its tag are numbered from here: a writer without CAS counts from 1,
 * and its commits must never pass for those of a writer that CAS granted.
 */
const firstAdoptedEpoch = 2 ** 32;

/**
 * Tags and writers of all volumes (docs/protocol/attestation.md). Every answer that says that something has changed
 * comes after the commit of that change; what waits together shares one commit.
 */
export class VolumeTags {
  readonly #state: State;
  readonly #writes: Serial;
  readonly #random: Random;
  #waiting: Waiting[] = [];

  constructor(options: { readonly state: State; readonly writes: Serial; readonly random: Random }) {
    this.#state = options.state;
    this.#writes = options.writes;
    this.#random = options.random;
  }

  read(owner: VolumeOwner): TagState {
    const { tag, epoch } = this.#record(volumeRecordName(owner));
    return { tag, epoch };
  }

  /** The volume's key, made at the first call and the same ever after. */
  key(owner: VolumeOwner): Promise<string> {
    const { key } = this.#record(volumeRecordName(owner));
    if (key !== null) return Promise.resolve(key);
    return this.#change(owner, (record) => {
      const made = record.key ?? toHex(this.#random(32));
      return { answer: made, next: { ...record, key: made } };
    });
  }

  /** Takes a volume over that has state `tag`, unless CAS knows a state of it already. */
  async adopt(owner: VolumeOwner, tag: string): Promise<void> {
    if (this.read(owner).tag !== null) return;
    await this.#change(owner, (record) => ({
      answer: undefined,
      ...(record.tag === null && { next: { ...record, tag, epoch: firstAdoptedEpoch } }),
    }));
  }

  /** Grants the next epoch and sets the tag, if the state still is `expected`; null if it is another. */
  acquire(owner: VolumeOwner, user: VolumeUser, expected: TagState, tag: string): Promise<number | null> {
    return this.#change<number | null>(owner, (record) => {
      if (record.tag !== expected.tag || record.epoch !== expected.epoch) return { answer: null };
      const epoch = record.epoch + 1;
      return {
        answer: epoch,
        next: { ...record, tag, epoch },
        event: eventOf(owner, user, 'open', epoch, tag),
      };
    });
  }

  /** Compare-and-set of the tag by the writer of `epoch`; the same again, when the tag is `to` already, is accepted. */
  advance(owner: VolumeOwner, epoch: number, from: string, to: string): Promise<'accepted' | 'superseded'> {
    return this.#change<'accepted' | 'superseded'>(owner, (record) => {
      if (record.epoch !== epoch) return { answer: 'superseded' };
      if (record.tag === to) return { answer: 'accepted' };
      if (record.tag !== from) return { answer: 'superseded' };
      return { answer: 'accepted', next: { ...record, tag: to } };
    });
  }

  /** Writes down that the writer of `epoch` left the volume with `tag`; of a writer that was superseded, nothing. */
  async close(owner: VolumeOwner, user: VolumeUser, epoch: number, tag: string): Promise<void> {
    await this.#change(owner, (record) =>
      record.epoch === epoch && record.tag === tag
        ? { answer: undefined, next: record, event: eventOf(owner, user, 'close', epoch, tag) }
        : { answer: undefined },
    );
  }

  #record(name: string): VolumeRecord {
    const value = this.#state.store.get('volume', name);
    return value === undefined ? unknownVolume : v.parse(volumeRecord, value);
  }

  #change<Answer>(owner: VolumeOwner, decide: (record: VolumeRecord) => Decision<Answer>): Promise<Answer> {
    return new Promise<Answer>((resolve, reject) => {
      this.#waiting.push({
        owner,
        decide: (record) => {
          const decision = decide(record);
          return { ...decision, answer: () => resolve(decision.answer) };
        },
        reject,
      });
      if (this.#waiting.length > 1) return;
      // What goes wrong is told to everybody who waits.
      this.#writes.run(() => this.#commit()).catch(() => undefined);
    });
  }

  async #commit(): Promise<void> {
    const batch = this.#waiting;
    this.#waiting = [];
    try {
      const { store, audit } = this.#state;
      const records = new Map<string, VolumeRecord>();
      const changed = new Set<string>();
      const events: AuditEvent[] = [];
      const answers: (() => void)[] = [];
      for (const { owner, decide } of batch) {
        const name = volumeRecordName(owner);
        const { answer, next, event } = decide(records.get(name) ?? this.#record(name));
        if (next) {
          records.set(name, next);
          changed.add(name);
        }
        if (event) events.push(event);
        answers.push(answer);
      }
      const positions = await Promise.all(events.map((event) => audit.append(event, store.sequence + 1)));
      if (changed.size > 0) {
        const position = positions.at(-1) ?? (await audit.announceCommit(store.sequence + 1));
        const changes = [...changed].map((name) => ({
          table: 'volume',
          name,
          value: records.get(name) as VolumeRecord,
        }));
        store.commit(changes, position);
      }
      for (const answer of answers) answer();
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}

function eventOf(
  owner: VolumeOwner,
  user: VolumeUser,
  on: 'open' | 'close',
  epoch: number,
  tag: string,
): AuditEvent {
  return {
    type: 'Volume FSPF tag updated',
    ...user,
    owner: owner.session,
    volume: owner.volume,
    on,
    epoch,
    tag,
  };
}

/**
 * The same for one service and one volume, as far as its update policy allows: `ephemeral` changes nothing,
 * `no_rollback_protection` only brings the first state about, so that an emptied volume is never made anew.
 */
export function checkPolicy(
  policy: 'rollback_protected' | 'ephemeral' | 'no_rollback_protection',
  state: TagState,
): void {
  if (policy === 'rollback_protected') return;
  if (policy === 'no_rollback_protection' && (state.tag === null || state.tag === emptyTag)) return;
  throw new CasError('CAS_PROTOCOL', `volume: no change of the tag of a volume that is ${policy} expected`);
}
