import type { Load } from './load.ts';
import type { Server } from './process.ts';

/** What is loaded, and from how many sessions. */
export interface Target {
  readonly name: string;
  readonly server: Server;
  readonly load: Pick<Load, 'kind' | 'port' | 'casPublicKey' | 'sessions'>;
}

export function refuseFailures(failures: readonly string[], successes: number): void {
  if (failures.length === 0) return;
  throw new Error(`bench: no failure expected, ${failures.length} beside ${successes} found: ${failures[0]}`);
}
