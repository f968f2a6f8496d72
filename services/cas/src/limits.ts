/** Bounds of what strangers can make CAS hold or do. */
export interface CasLimits {
  /** Sessions with a name of their own, deleted ones included: these keep name, id and history for ever. */
  readonly sessions: number;
  readonly clients: {
    readonly connections: number;
    /** Of one address. */
    readonly perAddress: number;
    /** Milliseconds for a handshake and for a request to arrive; up to 4 s more without a byte in either direction. */
    readonly timeout: number;
  };
  readonly services: {
    /** Attested ones stay connected as long as they run. */
    readonly connections: number;
    /** Connections that are not attested yet. */
    readonly pending: number;
    /** Milliseconds for a handshake, and for the evidence to arrive. */
    readonly timeout: number;
  };
  /** Milliseconds for which a CAS that is told to stop goes on with what it has begun. */
  readonly drain: number;
  /** Milliseconds that a start waits for what other CASes export to its session. */
  readonly imports: { readonly timeout: number };
  /** Requests of one client identity or, without one, of one address; an address with many identities gets ten times that. */
  readonly rate: { readonly perSecond: number; readonly burst: number; readonly callers: number };
}

export const defaultLimits: CasLimits = {
  // What a start was measured with (docs/decisions/0018-client-api.md).
  sessions: 1_000_000,
  clients: { connections: 4096, perAddress: 1024, timeout: 20_000 },
  services: { connections: 65_536, pending: 512, timeout: 20_000 },
  drain: 5000,
  // The runtime waits 30 s for its configuration.
  imports: { timeout: 10_000 },
  rate: { perSecond: 100, burst: 400, callers: 65_536 },
};
