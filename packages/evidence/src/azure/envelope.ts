import { EvidenceError, reading } from '../errors.ts';
import { isMembers, jsonBytes, looseJson, type Members } from '../encoding.ts';

/** Everything that an Azure confidential VM shows, in the JSON forms that attestation services exchange. */
export interface AzureEvidence {
  readonly hclReport: Uint8Array;
  /** TDX: the quote that Azure made of the TDREPORT. */
  readonly tdQuote: Uint8Array | undefined;
  /** SNP: DER of the VCEK, where it comes along. */
  readonly vcek: Uint8Array | undefined;
  readonly tpm:
    | { readonly message: Uint8Array; readonly signature: Uint8Array; readonly pcrs: readonly Uint8Array[] }
    | undefined;
}

const sizeLimit = 1024 * 1024;

function refuse(expected: string): never {
  throw new EvidenceError('EVIDENCE_STRUCTURE', `Azure evidence: ${expected} expected, something else found`);
}

function readTpm(value: unknown): AzureEvidence['tpm'] {
  if (value === undefined || value === null) return undefined;
  if (!isMembers(value)) return refuse('a TPM quote');
  const { message, signature, pcrs } = value;
  if (!Array.isArray(pcrs) || pcrs.length > 32) return refuse('at most 32 "pcrs"');
  return {
    message: jsonBytes(message, 'message'),
    signature: jsonBytes(signature, 'signature'),
    pcrs: (pcrs as unknown[]).map((pcr) => jsonBytes(pcr, 'pcrs')),
  };
}

/** The members that matter: at the top, or within what a service wraps around them. */
function evidenceIn(json: unknown): Members | undefined {
  if (!isMembers(json)) return undefined;
  if (json['hcl_report'] !== undefined) return json;
  // The first form of the SNP evidence called the report just that, and the TPM quote "quote".
  if (json['report'] !== undefined && isMembers(json['quote'])) return json;
  const inner = json['evidence'];
  return isMembers(inner) && inner['hcl_report'] !== undefined ? inner : undefined;
}

export function isAzureEvidence(bytes: Uint8Array): boolean {
  return evidenceIn(looseJson(bytes, sizeLimit)) !== undefined;
}

/**
 * Parses attacker-controlled JSON with `hcl_report` (or `report`), `tpm_quote` (or `quote`), and `td_quote` or `vcek`; byte strings in any of the
 * usual forms. Throws `EvidenceError`.
 */
export function parseAzureEvidence(bytes: Uint8Array): AzureEvidence {
  const data = evidenceIn(looseJson(bytes, sizeLimit));
  if (data === undefined) return refuse(`JSON of at most ${sizeLimit} bytes with an "hcl_report"`);
  const optional = (name: string): Uint8Array | undefined =>
    data[name] === undefined || data[name] === null ? undefined : jsonBytes(data[name], name);
  return reading(() => ({
    hclReport: jsonBytes(data['hcl_report'] ?? data['report'], 'hcl_report'),
    tdQuote: optional('td_quote'),
    vcek: optional('vcek'),
    tpm: readTpm(data['tpm_quote'] ?? data['quote']),
  }));
}
