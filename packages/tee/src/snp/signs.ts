import type { Sign } from '../sign.ts';

/** The guest driver, or a guest's VMPL (Linux ≥ 6.11). The processor flag `sev_snp` would say nothing: hosts have it too. */
export const signs: readonly Sign[] = [
  { path: 'dev/sev-guest' },
  { path: 'sys/devices/virtual/misc/sev-guest' },
  { path: 'sys/devices/system/cpu/sev/vmpl' },
];
