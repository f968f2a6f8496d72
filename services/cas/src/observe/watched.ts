import type { ClientPort } from '../client-port/client-port.ts';
import type { StoredWatermarks } from '../evidence/stored-watermarks.ts';
import type { ServicePort } from '../service-port/service-port.ts';
import type { Sessions } from '../sessions/sessions.ts';
import type { State } from '../state/state.ts';
import type { Health } from './health.ts';
import type { Watched } from './metrics.ts';

/** What a running CAS shows at each scrape. */
export function watchedCas(cas: {
  readonly state: State;
  readonly sessions: Sessions;
  readonly watermarks: StoredWatermarks;
  readonly clientPort: ClientPort;
  readonly servicePort: ServicePort;
  readonly health: () => Health;
}): Watched {
  const { state, sessions, watermarks, clientPort, servicePort } = cas;
  return {
    sessions: () => sessions.names.present,
    namesTaken: () => sessions.names.taken,
    sessionLimit: () => sessions.limit,
    clientConnections: () => clientPort.connections,
    serviceConnections: () => servicePort.connections,
    pendingConnections: () => servicePort.pending,
    auditRecords: () => state.audit.position.sequence,
    commits: () => state.store.sequence,
    ready: () => cas.health().obstacles.length === 0,
    collateralDate: () => Math.max(0, ...Object.values(watermarks.read().anchors).map(({ time }) => time)),
    simulated: () => state.store.simulated,
  };
}
