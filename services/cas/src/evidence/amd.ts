import { requiredAmdCollateral, type RequiredAmdCollateral } from '@ensconce/collateral/amd';
import { EvidenceError } from '@ensconce/evidence/errors';
import { parseSnpReport } from '@ensconce/evidence/snp/quote';
import { CollateralPool } from '@ensconce/verify/collateral-pool';
import type { AmdCollateral } from '@ensconce/verify/snp/collateral';

/** What an attacker-controlled report needs; undefined where it does not say, or cannot be read. */
export function requiredForReport(report: Uint8Array): RequiredAmdCollateral | undefined {
  try {
    return requiredAmdCollateral(parseSnpReport(report));
  } catch (error) {
    if (error instanceof EvidenceError) return undefined;
    throw error;
  }
}

/** The certificates of the table that a guest got from its host: as untrusted as the report. */
export function tableCertificates(table: Uint8Array | undefined): readonly Uint8Array[] {
  if (table === undefined) return [];
  const pool = new CollateralPool();
  pool.add(table);
  return pool.amd().certificates;
}

export function withCertificates(
  collateral: AmdCollateral,
  certificates: readonly Uint8Array[],
): AmdCollateral {
  return { ...collateral, certificates: [...certificates, ...collateral.certificates] };
}
