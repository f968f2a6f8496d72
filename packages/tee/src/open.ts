import type { LasAddress } from '@ensconce/las-client/evidence';
import { sgxSource } from './sgx/source.ts';
import { simSource } from './sim/source.ts';
import { snpSource } from './snp/source.ts';
import { tdxSource } from './tdx/source.ts';
import type { EvidenceSource, Tee } from './source.ts';

export interface SourceOptions {
  /** Folder below which the kernel's files stand; empty for the process's own root. */
  readonly root: string;
  /** Used by `sim` alone. */
  readonly las: LasAddress;
}

const sources: Readonly<Record<Tee, (options: SourceOptions) => EvidenceSource>> = {
  tdx: ({ root }) => tdxSource(root),
  snp: ({ root }) => snpSource(root),
  sgx: ({ root }) => sgxSource(root),
  sim: ({ las }) => simSource(las),
};

/** The way to evidence in a TEE that `detectTee` found. */
export function openSource(tee: Tee, options: SourceOptions): EvidenceSource {
  return sources[tee](options);
}
