import { parseTdxQuote } from '@ensconce/evidence/tdx/quote';
import { requestTsmReport, tsmFolder } from '../configfs-tsm.ts';
import { checkEvidence } from '../report-data.ts';
import { checkReportData, type EvidenceSource } from '../source.ts';
import { extendRegister } from './rtmr.ts';

export const provider = 'tdx_guest';

/** Bytes. The kernel's documentation tells DICE evidence (CBOR Web Tokens) by being larger than this. */
const quoteLimit = 8192;

const otherFormat =
  'a TDX quote of version 4 or 5 is needed; DICE-based evidence (CBOR Web Tokens) is not supported';

/** A TD of Intel's: quotes by configfs-tsm, RTMR3 by the kernel's measurement files. */
export function tdxSource(root: string): EvidenceSource {
  return {
    tee: 'tdx',
    async makeEvidence(reportData) {
      checkReportData(reportData);
      const { outblob, manifestblob } = await requestTsmReport({
        folder: tsmFolder(root),
        provider,
        reportData,
        privilegeLevel: 'none',
        limit: quoteLimit,
        largerHint: otherFormat,
      });
      checkEvidence(
        'a TDX quote',
        () => parseTdxQuote(outblob, 'ignore').report.reportData,
        reportData,
        otherFormat,
      );
      return {
        format: 'tdx',
        bytes: outblob,
        ...(manifestblob === undefined ? {} : { manifest: manifestblob }),
      };
    },
    extend: (digest) => extendRegister(root, 3, digest),
  };
}
