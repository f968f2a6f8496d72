import { createHash } from 'node:crypto';
import * as v from 'valibot';
import { judgeOneTimePassword } from '@ensconce/secrets/one-time-password';
import { CasError } from '../errors.ts';
import type { Serial } from '../state/serial.ts';
import type { Store } from '../store/store.ts';

const table = 'one-time-password';
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const spentCodes = v.strictObject({
  /** The time step of the last code that was accepted; null where none was. */
  step: v.nullable(count),
  /** Wrong codes within one time step. */
  wrong: v.strictObject({ step: count, count }),
  /** Who was let in lately, newest last: they may connect again without a code. */
  instances: v.array(v.string()),
});
type SpentCodes = v.InferOutput<typeof spentCodes>;

/** Seconds, RFC 6238. */
const timeStep = 30;
/** A code has six digits and two are good at a time: with three guesses in 30 seconds, half of all attackers need a month. */
const guesses = 3;
/** As many starts as a day can see: a code is good once, and there is one in 30 seconds. */
const remembered = 2880;

export type Spent = 'accepted' | 'wrong' | 'used' | 'too-many';

/**
 * Codes that were used, in the database of CAS, by the shared secret alone: neither a restart nor an update of a session, nor
 * another session with the same secret, makes a code good again.
 */
export class OneTimePasswords {
  readonly #store: Store;
  readonly #writes: Serial;

  constructor(store: Store, writes: Serial) {
    this.#store = store;
    this.#writes = writes;
  }

  /** Whether this instance, known by the key of its connections, was let in by a code already. */
  admitted(secret: Uint8Array, instance: string): boolean {
    return this.#read(nameOf(secret)).instances.includes(instance);
  }

  /** Uses a code up; that it was used is on disk before this returns. */
  spend(secret: Uint8Array, code: string, now: Date, instance: string): Promise<Spent> {
    return this.#writes.run(async () => {
      const name = nameOf(secret);
      const before = this.#read(name);
      const step = Math.floor(now.getTime() / 1000 / timeStep);
      const wrong = before.wrong.step === step ? before.wrong.count : 0;
      if (wrong >= guesses) return 'too-many';
      const judged = judgeOneTimePassword(secret, code, now, before.step ?? undefined);
      if (!judged.accepted && judged.reason === 'used') return 'used';
      const after: SpentCodes = judged.accepted
        ? { ...before, step: judged.step, instances: [...before.instances, instance].slice(-remembered) }
        : { ...before, wrong: { step, count: wrong + 1 } };
      this.#store.commit([{ table, name, value: after }], undefined);
      return judged.accepted ? 'accepted' : 'wrong';
    });
  }

  #read(name: string): SpentCodes {
    const record = this.#store.get(table, name);
    if (record === undefined) return { step: null, wrong: { step: 0, count: 0 }, instances: [] };
    const parsed = v.safeParse(spentCodes, record);
    if (parsed.success) return parsed.output;
    throw new CasError('CAS_STATE_CORRUPT', 'one-time-password record: another form expected');
  }
}

/** The secret has at least 128 bits: its hash tells nobody what it is. */
function nameOf(secret: Uint8Array): string {
  return createHash('sha256').update('ensconce-one-time-password/1').update(secret).digest('hex');
}
