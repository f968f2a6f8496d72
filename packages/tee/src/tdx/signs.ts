import type { Sign } from '../sign.ts';

/** The guest driver, or the processor's own word that this is a TD (Linux: X86_FEATURE_TDX_GUEST). */
export const signs: readonly Sign[] = [
  { path: 'dev/tdx_guest' },
  { path: 'sys/devices/virtual/misc/tdx_guest' },
  { path: 'proc/cpuinfo', flag: 'tdx_guest' },
];
