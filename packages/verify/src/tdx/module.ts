import { isZero, toHex } from '@ensconce/base/bytes';
import type { TdReport } from '@ensconce/evidence/tdx/body';
import type { CheckList } from '../check.ts';
import type { IsvLevel, TcbInfo, TdxModule } from '../intel/tcb-info.ts';

/** The identity of the TDX module that a TEE_TCB_SVN belongs to. */
export interface ModuleIdentity extends TdxModule {
  /** Undefined for module version 0, which is rated by the platform's levels alone. */
  readonly versioned: { readonly id: string; readonly levels: readonly IsvLevel[] } | undefined;
}

/** "TDX_" and two hexadecimal digits of the module's major version; undefined for version 0. */
export function moduleId(teeTcbSvn: Uint8Array): string | undefined {
  const version = teeTcbSvn[1] ?? 0;
  return version === 0 ? undefined : `TDX_${version.toString(16).toUpperCase().padStart(2, '0')}`;
}

export function findModule(info: TcbInfo, teeTcbSvn: Uint8Array): ModuleIdentity | undefined {
  const id = moduleId(teeTcbSvn);
  if (id === undefined)
    return info.tdxModule === undefined ? undefined : { ...info.tdxModule, versioned: undefined };
  const found = info.tdxModuleIdentities.find((identity) => identity.id.toUpperCase() === id);
  return found === undefined ? undefined : { ...found, versioned: { id, levels: found.levels } };
}

/** Checks that Intel knows the TDX module (Intel QVL, TdxModuleCheck): its signer and attributes. */
export function checkModule(
  checks: CheckList,
  report: TdReport,
  teeTcbSvn: Uint8Array,
  info: TcbInfo,
): ModuleIdentity | undefined {
  const identity = findModule(info, teeTcbSvn);
  const wanted = moduleId(teeTcbSvn) ?? 'the module of version 0';
  const wrong =
    identity === undefined
      ? `no identity of ${wanted} in the TCB info`
      : toHex(report.mrSignerSeam) !== identity.mrSigner
        ? `MRSIGNERSEAM ${toHex(report.mrSignerSeam)}`
        : !isZero(report.seamAttributes) || toHex(report.seamAttributes) !== identity.attributes
          ? `SEAMATTRIBUTES ${toHex(report.seamAttributes)}`
          : undefined;
  checks.that('TDX module is the vendor’s', wrong === undefined, {
    expected: `signer and attributes of ${wanted}`,
    found: wrong ?? 'the same',
    hint: 'where the module is newer than the TCB info, fetch newer collateral',
  });
  return wrong === undefined ? identity : undefined;
}
