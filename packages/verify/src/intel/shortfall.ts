import type { ComponentName, IsvLevel, TcbInfo } from './tcb-info.ts';
import type { Pck } from './pck.ts';

/** The first SVN that is below the newest level, for the person who must update something. */
export interface Shortfall {
  /** "early microcode update (SGX TCB component 1) below 0x0c: 0x0b". */
  readonly what: string;
  /** "update the BIOS". */
  readonly remedy: string;
}

/** A component with versions of its own, the quoting enclave or the TDX module. */
export interface Versioned {
  readonly name: string;
  readonly svn: number;
  readonly levels: readonly IsvLevel[];
  readonly remedy: string;
}

const hex = (value: number | undefined): string => `0x${(value ?? 0).toString(16).padStart(2, '0')}`;

const below = (what: string, have: number | undefined, want: number | undefined): string =>
  `${what} below ${hex(want)}: ${hex(have)}`;

const remedies: Readonly<Record<string, string>> = {
  BIOS: 'update the BIOS',
  'OS/VMM': 'update the host’s operating system, its microcode and TDX module',
};
const anyRemedy = 'update the platform’s firmware and microcode';

function component(
  tee: 'SGX' | 'TDX',
  have: ArrayLike<number>,
  want: readonly number[],
  names: readonly ComponentName[],
  from = 0,
): Shortfall | undefined {
  const at = want.findIndex((svn, i) => i >= from && (have[i] ?? 0) < svn);
  if (at < 0) return undefined;
  const { category = '', type = '' } = names[at] ?? {};
  const place = `${tee} TCB component ${at + 1}`;
  return {
    what: below(type === '' ? place : `${type} (${place})`, have[at], want[at]),
    remedy: remedies[category] ?? anyRemedy,
  };
}

function ofVersioned({ name, svn, levels, remedy }: Versioned): Shortfall | undefined {
  const newest = levels[0]?.isvSvn ?? 0;
  return svn < newest ? { what: below(name, svn, newest), remedy } : undefined;
}

/** Why a platform misses the newest level; null where it does not. `tdx` is the TEE_TCB_SVN of a TD. */
export function findShortfall(
  info: TcbInfo,
  pck: Pck,
  components: readonly Versioned[],
  tdx?: Uint8Array,
): Shortfall | null {
  const [best] = info.levels;
  if (best === undefined) return null;
  const sgx = component('SGX', pck.components, best.sgx, best.names.sgx);
  if (sgx !== undefined) return sgx;
  if (pck.pceSvn < best.pceSvn)
    return {
      what: below('PCE', pck.pceSvn, best.pceSvn),
      remedy: 'update the platform’s SGX software, and get a new PCK certificate',
    };
  if (tdx !== undefined && best.tdx !== undefined) {
    const found = component('TDX', tdx, best.tdx, best.names.tdx, (tdx[1] ?? 0) > 0 ? 2 : 0);
    if (found !== undefined) return found;
  }
  return components.map((one) => ofVersioned(one)).find((one) => one !== undefined) ?? null;
}

export function quotingEnclave(svn: number, levels: readonly IsvLevel[]): Versioned {
  return { name: 'quoting enclave', svn, levels, remedy: 'update the platform’s software for making quotes' };
}

export function tdxModule(id: string, svn: number, levels: readonly IsvLevel[]): Versioned {
  return { name: `TDX module ${id}`, svn, levels, remedy: 'update the TDX module' };
}
