import { fromUtf8, toHex } from '@ensconce/base/bytes';
import { EnsconceError } from '@ensconce/base/errors';
import { productOf, type SnpProduct, type SnpTcb } from '@ensconce/evidence/snp/tcb';
import { reportedTcb, tcbLayout } from '@ensconce/evidence/snp/body';
import { parseCertificate } from '@ensconce/x509/certificate';
import { parseRevocationList } from '@ensconce/x509/crl';
import { pemBlocks } from '@ensconce/x509/pem';
import type { AmdCollateral } from '@ensconce/verify/snp/collateral';
import type { SnpReport } from '@ensconce/evidence/snp/quote';
import type { CollateralCache, Lifetime } from './cache.ts';
import type { Stored } from './disk.ts';

export const amdKds = 'https://kdsintf.amd.com';
/** Milliseconds between two requests: the key server allows about one VCEK in ten seconds. */
export const kdsSpacing = 10_000;

/** Which certificates a report needs. Read from an unverified report: good for looking up, proves nothing. */
export interface RequiredAmdCollateral {
  readonly product: SnpProduct;
  readonly kind: 'VCEK' | 'VLEK';
  /** Hexadecimal: 64 bytes, on Turin 8. Undefined where the chip is masked. */
  readonly hwId: string | undefined;
  readonly tcb: SnpTcb;
}

/** Undefined where a report does not say which product it is from (version 2: give it), or is not signed. */
export function requiredAmdCollateral(
  report: SnpReport,
  product?: SnpProduct,
): RequiredAmdCollateral | undefined {
  const { body } = report;
  const found =
    product ?? (body.cpuid === undefined ? undefined : productOf(body.cpuid.family, body.cpuid.model));
  if (found === undefined || body.signingKey === 'none') return undefined;
  const turin = (tcbLayout(body) ?? 'milan') === 'turin';
  const chip = toHex(turin ? body.chipId.subarray(0, 8) : body.chipId);
  return {
    product: found,
    kind: body.signingKey,
    hwId: /^0*$/.test(chip) ? undefined : chip,
    tcb: reportedTcb(body, turin ? 'turin' : 'milan'),
  };
}

const two = (value: number): string => String(value).padStart(2, '0');

/** Address of the VCEK of one chip and TCB. */
export function vcekUrl(base: string, required: RequiredAmdCollateral): string | undefined {
  if (required.kind !== 'VCEK' || required.hwId === undefined) return undefined;
  const { fmc, bootloader, tee, snp, microcode } = required.tcb;
  const levels = [
    ...(fmc === undefined ? [] : [`fmcSPL=${two(fmc)}`]),
    `blSPL=${two(bootloader)}`,
    `teeSPL=${two(tee)}`,
    `snpSPL=${two(snp)}`,
    `ucodeSPL=${two(microcode)}`,
  ];
  return `${base}/vcek/v1/${required.product}/${required.hwId}?${levels.join('&')}`;
}

const day = 86_400_000;

function guarded(read: (entry: Stored) => number): (entry: Stored) => number {
  return (entry) => {
    try {
      return read(entry);
    } catch (error) {
      if (error instanceof EnsconceError || error instanceof TypeError) return 0;
      throw error;
    }
  };
}

const certificateLifetime: Lifetime = {
  fresh: 365 * day,
  validUntil: guarded((entry) => parseCertificate(entry.body).notAfter),
};
const chainLifetime: Lifetime = {
  fresh: 30 * day,
  validUntil: guarded((entry) => {
    const ends = pemBlocks(fromUtf8(entry.body), 'CERTIFICATE', 8).map(
      (der) => parseCertificate(der).notAfter,
    );
    return ends.length === 0 ? 0 : Math.min(...ends);
  }),
};
const crlLifetime: Lifetime = {
  fresh: day,
  validUntil: guarded((entry) => parseRevocationList(entry.body).nextUpdate ?? 0),
};

/** Fetches, or recalls, chain, revocation list and, for a chip that is not masked, its VCEK. Nothing of it is verified here. */
export async function fetchAmdCollateral(
  cache: CollateralCache,
  base: string,
  required: RequiredAmdCollateral,
): Promise<AmdCollateral> {
  const kind = required.kind.toLowerCase();
  const chain = await cache.get(`${base}/${kind}/v1/${required.product}/cert_chain`, chainLifetime);
  const list = await cache.get(`${base}/${kind}/v1/${required.product}/crl`, crlLifetime);
  const url = vcekUrl(base, required);
  const vcek = url === undefined ? undefined : await cache.get(url, certificateLifetime);
  return {
    certificates: [
      ...(vcek === undefined ? [] : [vcek.body]),
      ...pemBlocks(fromUtf8(chain.body), 'CERTIFICATE', 8),
    ],
    revocationLists: [list.body],
  };
}
