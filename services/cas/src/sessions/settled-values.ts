import type { Session } from '@ensconce/policy/session';
import type { SecretState } from '@ensconce/secrets/stored';
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

/** Milliseconds since 1970. A certificate that could not be renewed in time is looked at each time. */
function nextRenewal({ secrets }: SecretState): number {
  const times = Object.values(secrets).flatMap((secret) =>
    secret.kind === 'x509' && secret.renew !== undefined ? [Date.parse(secret.renew)] : [],
  );
  return Math.min(...times);
}
