import { requestEvidence, type LasAddress } from '@ensconce/las-client/evidence';
import { checkReportData, type EvidenceSource } from '../source.ts';

/** No TEE: the LAS of the node measures this process and has simulated hardware vouch for it. Protects nothing. */
export function simSource(las: LasAddress): EvidenceSource {
  return {
    tee: 'sim',
    async makeEvidence(reportData) {
      checkReportData(reportData);
      const { format, evidence } = await requestEvidence(las, reportData);
      return { format, bytes: evidence };
    },
  };
}
