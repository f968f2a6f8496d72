import type { AmdCollateral } from '@ensconce/verify/snp/collateral';
import { parseCertificate } from '@ensconce/x509/certificate';
import { issueRevocationList } from '../authority.ts';
import { generateRsaKey } from '../key.ts';
import type { AmdAuthority } from './authority.ts';
import type { SimulatedChip } from './chip.ts';

export interface AmdCollateralRequest {
  readonly issued: Date;
  readonly next: Date;
  readonly number: number;
  readonly revokedVek?: boolean;
  readonly revokedAsk?: boolean;
  readonly wrongListSignature?: boolean;
}

/** Certificates of a chip and the root's revocation list, freshly signed. */
export async function issueAmdCollateral(
  authority: AmdAuthority,
  chip: SimulatedChip,
  request: AmdCollateralRequest,
): Promise<AmdCollateral> {
  const intermediate = chip.kind === 'VCEK' ? authority.ask : authority.asvk;
  const revoked = [
    ...(request.revokedVek === true ? [parseCertificate(chip.vek.certificate).serial] : []),
    ...(request.revokedAsk === true ? [parseCertificate(intermediate.certificate).serial] : []),
  ];
  const signer =
    request.wrongListSignature === true ? { ...authority.ark, key: generateRsaKey(2048) } : authority.ark;
  return {
    certificates: [chip.vek.certificate, intermediate.certificate, authority.ark.certificate],
    revocationLists: [
      await issueRevocationList(signer, {
        thisUpdate: request.issued,
        nextUpdate: request.next,
        number: request.number,
        revoked,
      }),
    ],
  };
}
