import { join } from 'node:path';
import type { Io } from '../io.ts';

/** Folder of the vendors' collateral. Nothing in it is trusted: all that counts is signed and dated. */
export function collateralCache(io: Io): string {
  return join(io.environment['XDG_CACHE_HOME'] ?? join(io.home, '.cache'), 'ensconce', 'collateral');
}
