import { toHex } from '@ensconce/base/bytes';
import type { QuoteHeader } from '@ensconce/evidence/intel/header';
import type { QuoteAuthentication } from '@ensconce/evidence/intel/authentication';
import type { CertificateClaims } from '../ra-tls/claims.ts';
import type { Pck } from './pck.ts';

/** Claims about the machine, the same for SGX and TDX. */
export interface IntelPlatformClaims {
  readonly fmspc: string;
  readonly ppid: string;
  readonly pceid: string;
  readonly pcesvn: number;
  /** Names the platform towards policies: the platform instance id, or the PPID where the processor CA gives none. */
  readonly platformId: string;
  readonly platformInstanceId: string | null;
  readonly ca: 'platform' | 'processor';
  readonly sgxType: number;
  readonly dynamicPlatform: boolean | null;
  readonly cachedKeys: boolean | null;
  readonly smtEnabled: boolean | null;
  /** 16 bytes of the header's user data; it is signed, but chosen by the platform's software. */
  readonly qeId: string;
  readonly qeIsvSvn: number;
  readonly quoteVersion: number;
  /** RA-TLS only. */
  readonly certificate: CertificateClaims | null;
}

export function platformClaims(
  quote: { readonly header: QuoteHeader; readonly authentication: QuoteAuthentication },
  pck: Pck,
): IntelPlatformClaims {
  return {
    fmspc: pck.fmspc,
    ppid: pck.ppid,
    pceid: pck.pceId,
    pcesvn: pck.pceSvn,
    platformId: pck.platformInstanceId ?? pck.ppid,
    platformInstanceId: pck.platformInstanceId,
    ca: pck.ca,
    sgxType: pck.sgxType,
    dynamicPlatform: pck.configuration?.dynamicPlatform ?? null,
    cachedKeys: pck.configuration?.cachedKeys ?? null,
    smtEnabled: pck.configuration?.smtEnabled ?? null,
    qeId: toHex(quote.header.userData.subarray(0, 16)),
    qeIsvSvn: quote.authentication.qeReport.isvSvn,
    quoteVersion: quote.header.version,
    certificate: null,
  };
}
