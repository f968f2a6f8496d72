import { CollateralCache } from '@ensconce/collateral/cache';
import { DiskStore } from '@ensconce/collateral/disk';
import { intelPcs, pccsSource } from '@ensconce/collateral/intel';
import { cachedSource, pooledSource, type CollateralSource } from '@ensconce/collateral/source';
import { fetchTransport } from '@ensconce/collateral/transport';
import { readCollateral } from '@ensconce/evidence-report/files';
import type { Io } from '../io.ts';

export interface SourceOptions {
  /** Address of a PCCS; Intel itself without it. */
  readonly pccs?: string | undefined;
  /** Files and folders; with them nothing is fetched. */
  readonly collateral?: readonly string[] | undefined;
}

/** Where a verb gets collateral of real platforms. `cache` is the folder that keeps what was fetched. */
export function collateralSource(io: Io, cache: string, options: SourceOptions): CollateralSource {
  if (options.collateral !== undefined) return pooledSource(readCollateral(options.collateral));
  return cachedSource(
    new CollateralCache({
      store: new DiskStore(cache),
      transport: fetchTransport,
      now: () => io.now().getTime(),
    }),
    options.pccs === undefined ? intelPcs : pccsSource(options.pccs),
  );
}
