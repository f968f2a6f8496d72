import { tsmFolder, tsmProvider } from './configfs-tsm.ts';
import { TeeError } from './errors.ts';
import { isThere, type Sign } from './sign.ts';
import { signs as sgxSigns } from './sgx/signs.ts';
import { signs as simSigns } from './sim/signs.ts';
import { signs as snpSigns } from './snp/signs.ts';
import { provider as snpProvider } from './snp/source.ts';
import { signs as tdxSigns } from './tdx/signs.ts';
import { provider as tdxProvider } from './tdx/source.ts';
import type { Tee } from './source.ts';

const signs: Readonly<Record<Tee, readonly Sign[]>> = {
  sgx: sgxSigns,
  tdx: tdxSigns,
  snp: snpSigns,
  sim: simSigns,
};
const providers: ReadonlyMap<string, Tee> = new Map([
  [tdxProvider, 'tdx'],
  [snpProvider, 'snp'],
]);

/**
 * Which TEE this process runs in, by the kernel files below `root` (empty for the process's own). `sim` only where
 * nothing at all says that there is a TEE: one that is there but cannot be used, or is not known, is an error.
 *
 * Files below a host's root are the host's word. A host that hides a TEE gets simulated evidence, which policies
 * refuse; one that fakes a TEE gets no evidence that verifies.
 *
 * @throws TeeError `TEE_INTERFACE` or `TEE_PROVIDER`
 */
export async function detectTee(root: string): Promise<Tee> {
  const has = (tee: Tee): boolean => signs[tee].some((sign) => isThere(root, sign));
  if (has('sgx')) return 'sgx';
  const folder = tsmFolder(root);
  const provider = await tsmProvider(folder);
  if (provider !== undefined) {
    const tee = providers.get(provider);
    if (tee !== undefined) return tee;
    throw new TeeError(
      'TEE_PROVIDER',
      `configfs-tsm: provider ${[...providers.keys()].join(' or ')} expected, ${JSON.stringify(provider.slice(0, 40))} found`,
      { hint: 'this TEE is not supported, and a TEE is never replaced by simulation' },
    );
  }
  const present = (['tdx', 'snp'] as const).find(has);
  if (present !== undefined) {
    throw new TeeError(
      'TEE_INTERFACE',
      `${folder}: the ${present} hardware that this guest has expected there, none found`,
      {
        hint: 'mount configfs and hand /sys/kernel/config to the container; the guest kernel needs CONFIG_TSM_REPORTS (Linux 6.7)',
      },
    );
  }
  return 'sim';
}
