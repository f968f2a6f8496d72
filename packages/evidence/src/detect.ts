import { azureFormat } from './azure/format.ts';
import { raTlsFormat } from './ra-tls/format.ts';
import { nitroFormat } from './nitro/format.ts';
import { sgxFormat } from './sgx/format.ts';
import { snpFormat } from './snp/format.ts';
import { tdxFormat } from './tdx/format.ts';
import { tpmFormat } from './tpm/format.ts';
import type { EvidenceFormat, Format } from './format.ts';

/** Every format that is known, one row each, those with the surest marks first. */
const formats: readonly Format[] = [
  azureFormat,
  tpmFormat,
  raTlsFormat,
  nitroFormat,
  sgxFormat,
  tdxFormat,
  snpFormat,
];

/** The format that attacker-controlled bytes seem to be of; undefined for anything else. */
export function detectFormat(bytes: Uint8Array): Format | undefined {
  return formats.find((format) => format.recognises(bytes));
}

/** Its name. */
export function detectEvidence(bytes: Uint8Array): EvidenceFormat | undefined {
  return detectFormat(bytes)?.name;
}
