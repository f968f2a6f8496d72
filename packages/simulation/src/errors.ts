import { EnsconceError } from '@ensconce/base/errors';

export type SimulationErrorCode =
  /** The state folder cannot be read or written, or holds something else. */
  'SIMULATION_STATE';

export class SimulationError extends EnsconceError<SimulationErrorCode> {}
