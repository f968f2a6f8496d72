import { detectEvidence } from './detect.ts';
import { isAzureEvidence, parseAzureEvidence } from './azure/envelope.ts';
import { parseHclReport } from './azure/quote.ts';
import { parseRaTlsCertificate } from './ra-tls/envelope.ts';
import { unpackEvidence } from './packaging.ts';

/**
 * What hardware itself made, taken out of everything around it: packaging, a certificate, Azure's HCL report. It says of which platform collateral is needed.
 * Attacker-controlled; throws `EvidenceError`.
 */
export function hardwareEvidence(bytes: Uint8Array): Uint8Array {
  const { evidence } = unpackEvidence(bytes);
  const format = detectEvidence(evidence);
  if (format === 'ra-tls') return parseRaTlsCertificate(evidence).packaged.evidence;
  if (format !== 'azure') return evidence;
  const azure = isAzureEvidence(evidence) ? parseAzureEvidence(evidence) : undefined;
  return azure?.tdQuote ?? parseHclReport(azure?.hclReport ?? evidence).hardwareReport;
}
