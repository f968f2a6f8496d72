import { isAzureEvidence, parseAzureEvidence } from './envelope.ts';
import { isHclReport, parseHclReport } from './quote.ts';
import { parseHclRuntimeData } from './body.ts';
import type { Format } from '../format.ts';

function fields(bytes: Uint8Array): object {
  const report = parseHclReport(isAzureEvidence(bytes) ? parseAzureEvidence(bytes).hclReport : bytes);
  return { ...report, runtimeData: parseHclRuntimeData(report.runtimeData) };
}

export const azureFormat: Format = {
  name: 'azure',
  recognises: (bytes) => isHclReport(bytes) || isAzureEvidence(bytes),
  fields,
};
