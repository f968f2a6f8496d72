import type { Session } from '@ensconce/policy/session';
import { nextRenewal } from '@ensconce/secrets/generate';
import type { StoredSession } from './session-record.ts';

/**
 * Sessions that were looked through for what has to be made or renewed, and when to look again. A version that is replaced, or whose
 * certificates are renewed, is another object, so what was found for it is never asked for again.
 */
export class SettledValues {
  readonly #until = new WeakMap<StoredSession, WeakMap<ReadonlySet<string>, number>>();

  /** Whether those values are all there, and good at this time. */
  has(stored: StoredSession, names: ReadonlySet<string>, now: Date): boolean {
    return now.getTime() < (this.#until.get(stored)?.get(names) ?? -Infinity);
  }

  /** Nothing had to be made for these names. Without effect for a session that gets values from elsewhere. */
  add(stored: StoredSession, names: ReadonlySet<string>): void {
    if (!standsAlone(stored.session)) return;
    const known = this.#until.get(stored) ?? new WeakMap<ReadonlySet<string>, number>();
    this.#until.set(stored, known);
    known.set(names, nextRenewal(stored.secrets));
  }
}

function standsAlone({ secrets, secretConfig }: Session): boolean {
  return (
    secretConfig === undefined &&
    secrets.every(({ kind, import: imported, importAkv }) => {
      return imported === undefined && importAkv === undefined && kind !== 'aad-token';
    })
  );
}
