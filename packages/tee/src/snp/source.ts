import { parseSnpReport, reportSize } from '@ensconce/evidence/snp/quote';
import { requestTsmReport, tsmFolder } from '../configfs-tsm.ts';
import { checkEvidence } from '../report-data.ts';
import { checkReportData, type EvidenceSource } from '../source.ts';

export const provider = 'sev_guest';

export interface SnpSourceOptions {
  /** The VMPL that the report is about, 0 to 3; the guest's own unless given. */
  readonly privilegeLevel?: number | undefined;
}

/** A guest of AMD's: reports and the host's certificate table by configfs-tsm. */
export function snpSource(root: string, options: SnpSourceOptions = {}): EvidenceSource {
  return {
    tee: 'snp',
    async makeEvidence(reportData) {
      checkReportData(reportData);
      const { outblob, auxblob, manifestblob } = await requestTsmReport({
        folder: tsmFolder(root),
        provider,
        reportData,
        privilegeLevel: options.privilegeLevel ?? 'floor',
        limit: reportSize,
      });
      checkEvidence('an SNP report', () => parseSnpReport(outblob).body.reportData, reportData);
      return {
        format: 'snp',
        bytes: outblob,
        ...(auxblob === undefined ? {} : { certificates: auxblob }),
        ...(manifestblob === undefined ? {} : { manifest: manifestblob }),
      };
    },
  };
}
