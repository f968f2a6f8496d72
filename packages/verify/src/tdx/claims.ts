import { toHex } from '@ensconce/base/bytes';
import { platformClaims, type IntelPlatformClaims } from '../intel/platform.ts';
import type { VtpmClaims } from '../azure/claims.ts';
import type { Pck } from '../intel/pck.ts';
import type { TdxQuote } from '@ensconce/evidence/tdx/quote';

export interface TdxClaims extends IntelPlatformClaims {
  readonly tee: 'tdx';
  /** Any bit of TDATTRIBUTES.TUD: the host can read or change the TD. */
  readonly debug: boolean;
  readonly mrtd: string;
  readonly rtmr0: string;
  readonly rtmr1: string;
  readonly rtmr2: string;
  readonly rtmr3: string;
  readonly mrconfigid: string;
  readonly mrowner: string;
  readonly mrownerconfig: string;
  /** 64 bytes. */
  readonly reportData: string;
  readonly mrseam: string;
  readonly mrsignerseam: string;
  readonly seamAttributes: string;
  readonly tdAttributes: string;
  readonly septVeDisable: boolean;
  readonly migratable: boolean;
  readonly perfmon: boolean;
  readonly xfam: string;
  /** At launch. */
  readonly teeTcbSvn: string;
  readonly body: TdxQuote['kind'];
  /** Since TD 1.5; zero where no service TD is bound. */
  readonly mrservicetd: string | null;
  readonly teeTcbSvn2: string | null;
  /** Azure only. */
  readonly vtpm: VtpmClaims | null;
}

function bit(attributes: Uint8Array, index: number): boolean {
  return (((attributes[index >> 3] ?? 0) >> (index & 7)) & 1) === 1;
}

export function tdxClaims(quote: TdxQuote, pck: Pck): TdxClaims {
  const { report } = quote;
  const [rtmr0, rtmr1, rtmr2, rtmr3] = report.rtmrs;
  return {
    tee: 'tdx',
    debug: report.tdAttributes[0] !== 0,
    mrtd: toHex(report.mrTd),
    rtmr0: toHex(rtmr0),
    rtmr1: toHex(rtmr1),
    rtmr2: toHex(rtmr2),
    rtmr3: toHex(rtmr3),
    mrconfigid: toHex(report.mrConfigId),
    mrowner: toHex(report.mrOwner),
    mrownerconfig: toHex(report.mrOwnerConfig),
    reportData: toHex(report.reportData),
    mrseam: toHex(report.mrSeam),
    mrsignerseam: toHex(report.mrSignerSeam),
    seamAttributes: toHex(report.seamAttributes),
    tdAttributes: toHex(report.tdAttributes),
    septVeDisable: bit(report.tdAttributes, 28),
    migratable: bit(report.tdAttributes, 29),
    perfmon: bit(report.tdAttributes, 63),
    xfam: toHex(report.xfam),
    teeTcbSvn: toHex(report.teeTcbSvn),
    body: quote.kind,
    mrservicetd: report.current === null ? null : toHex(report.current.mrServiceTd),
    teeTcbSvn2: report.current === null ? null : toHex(report.current.teeTcbSvn2),
    vtpm: null,
    ...platformClaims(quote, pck),
  };
}
