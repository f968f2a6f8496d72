import type { CollateralPool } from '@ensconce/verify/collateral-pool';
import type { AmdCollateral } from '@ensconce/verify/snp/collateral';
import type { IntelCollateral } from '@ensconce/verify/intel/collateral';
import type { RequiredIntelCollateral } from '@ensconce/verify/intel/required';
import { amdKds, fetchAmdCollateral, type RequiredAmdCollateral } from './amd.ts';
import { fetchIntelCollateral, type IntelSource } from './intel.ts';
import type { CollateralCache } from './cache.ts';

/** Whence collateral comes. What it gives is unverified; undefined, or an error, where it has none. */
export interface CollateralSource {
  readonly intel: (required: RequiredIntelCollateral, at: Date) => Promise<IntelCollateral | undefined>;
  readonly amd: (required: RequiredAmdCollateral, at: Date) => Promise<AmdCollateral | undefined>;
}

/** Vendors' servers behind a cache. */
export function cachedSource(
  cache: CollateralCache,
  intel: IntelSource,
  kds: string = amdKds,
): CollateralSource {
  return {
    intel: (required) => fetchIntelCollateral(cache, intel, required),
    amd: (required) => fetchAmdCollateral(cache, kds, required),
  };
}

/** Files that an operator laid down; nothing is ever fetched. */
export function pooledSource(pool: CollateralPool): CollateralSource {
  return {
    intel: (required, at) => Promise.resolve(pool.intel(required, required.tee, at)),
    amd: () => Promise.resolve(pool.amd()),
  };
}
