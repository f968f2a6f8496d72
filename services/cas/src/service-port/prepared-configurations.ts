import type { StoredSession } from '../sessions/session-record.ts';
import { isConstant } from '../starts/constant.ts';
import type { Delivered, Delivery } from './configure.ts';

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
