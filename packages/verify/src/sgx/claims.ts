import { toHex } from '@ensconce/base/bytes';
import { attributeFlags, hasFlag } from '@ensconce/evidence/sgx/body';
import { platformClaims, type IntelPlatformClaims } from '../intel/platform.ts';
import type { Pck } from '../intel/pck.ts';
import type { SgxQuote } from '@ensconce/evidence/sgx/quote';

export interface SgxClaims extends IntelPlatformClaims {
  readonly tee: 'sgx';
  readonly mrenclave: string;
  readonly mrsigner: string;
  readonly isvprodid: number;
  readonly isvsvn: number;
  readonly debug: boolean;
  /** 16 bytes: flags ‖ XFRM. */
  readonly attributes: string;
  readonly miscselect: string;
  readonly cpusvn: string;
  /** 64 bytes. */
  readonly reportData: string;
  /** Key-separation identities; only where the enclave uses them. */
  readonly kss: {
    readonly configId: string;
    readonly configSvn: number;
    readonly isvExtProdId: string;
    readonly isvFamilyId: string;
  } | null;
}

export function sgxClaims(quote: SgxQuote, pck: Pck): SgxClaims {
  const { report } = quote;
  return {
    tee: 'sgx',
    mrenclave: toHex(report.mrEnclave),
    mrsigner: toHex(report.mrSigner),
    isvprodid: report.isvProdId,
    isvsvn: report.isvSvn,
    debug: hasFlag(report, attributeFlags.debug),
    attributes: toHex(report.attributes),
    miscselect: toHex(report.miscSelect),
    cpusvn: toHex(report.cpuSvn),
    reportData: toHex(report.reportData),
    kss: hasFlag(report, attributeFlags.kss)
      ? {
          configId: toHex(report.configId),
          configSvn: report.configSvn,
          isvExtProdId: toHex(report.isvExtProdId),
          isvFamilyId: toHex(report.isvFamilyId),
        }
      : null,
    ...platformClaims(quote, pck),
  };
}
