import { isAzureEvidence, parseAzureEvidence } from './envelope.ts';
import { isHclReport, parseHclReport } from './quote.ts';
import { parseHclRuntimeData } from './body.ts';
import { parseSnpReport } from '../snp/quote.ts';
import { parseTdxQuote } from '../tdx/quote.ts';
import { parseTpmQuoteBody } from '../tpm/body.ts';
import type { Format } from '../format.ts';

function fields(bytes: Uint8Array): object {
  const evidence = isAzureEvidence(bytes) ? parseAzureEvidence(bytes) : undefined;
  const report = parseHclReport(evidence?.hclReport ?? bytes);
  const quote = evidence?.tdQuote;
  const tpm = evidence?.tpm;
  return {
    ...report,
    hardwareReport:
      report.kind === 'snp' ? parseSnpReport(report.hardwareReport, 'ignore') : report.hardwareReport,
    runtimeData: parseHclRuntimeData(report.runtimeData),
    tdQuote: quote === undefined ? null : parseTdxQuote(quote, 'ignore'),
    tpmQuote: tpm === undefined ? null : { ...tpm, message: parseTpmQuoteBody(tpm.message) },
  };
}

export const azureFormat: Format = {
  name: 'azure',
  recognises: (bytes) => isHclReport(bytes) || isAzureEvidence(bytes),
  fields,
};
