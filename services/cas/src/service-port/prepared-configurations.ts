import { imageOf, type SecretKind, type Service, type Session } from '@ensconce/policy/session';
import type { StoredSession } from '../sessions/session-record.ts';
import type { Delivered, Delivery } from './configure.ts';

/** The kinds whose values change only with the stored session; whatever is not listed is delivered anew each time. */
const constantKinds: ReadonlySet<SecretKind | undefined> = new Set([
  'ascii',
  'binary',
  'private-key',
  'public-key',
  'x509',
  'x509-ca',
] as const);
const perSession = 16;

/**
 * Configurations that starts of the same program under the same version of a session share. Only of sessions that give
 * nothing which depends on the time, the service, or other sessions. A version that is replaced, or whose certificates
 * are renewed, is another object, so what was prepared for it is never found again.
 */
export class PreparedConfigurations {
  readonly #prepared = new WeakMap<StoredSession, Map<string, Delivered>>();

  async of(delivery: Delivery, configure: (delivery: Delivery) => Promise<Delivered>): Promise<Delivered> {
    const { stored, service, measurement } = delivery;
    const key = `${service.name} ${measurement}`;
    const known = this.#prepared.get(stored)?.get(key);
    if (known !== undefined) return known;
    if (!isConstant(stored.session, service)) return configure(delivery);
    const prepared = this.#prepared.get(stored) ?? new Map<string, Delivered>();
    this.#prepared.set(stored, prepared);
    const delivered = await configure(delivery);
    if (prepared.size >= perSession) prepared.clear();
    prepared.set(key, delivered);
    return delivered;
  }
}

function isConstant(session: Session, service: Service): boolean {
  return (
    (imageOf(session, service)?.volumes.length ?? 0) === 0 &&
    // Values that a vault keeps are the vault's to change.
    session.secretConfig === undefined &&
    session.secrets.every(
      ({ kind, import: imported, importAkv }) =>
        imported === undefined && importAkv === undefined && constantKinds.has(kind),
    )
  );
}
