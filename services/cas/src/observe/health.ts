import type { State } from '../state/state.ts';

/** What keeps CAS from its work; nothing where it is ready. */
export type Obstacle = 'audit log' | 'database' | 'closing';

/** Whether CAS can do its work. Alive it is as long as it answers at all. */
export interface Health {
  readonly obstacles: readonly Obstacle[];
}

/** `closing` says whether CAS has been told to stop. */
export function healthOf(state: Pick<State, 'audit' | 'store'>, closing: boolean): Health {
  const obstacles: Obstacle[] = [];
  if (closing) obstacles.push('closing');
  if (!state.audit.writable) obstacles.push('audit log');
  if (!state.store.writable) obstacles.push('database');
  return { obstacles };
}
