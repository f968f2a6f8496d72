import { fromUtf8 } from '@ensconce/base/bytes';
import { EvidenceError } from '../errors.ts';

/** Everything that an Azure confidential VM shows, in the JSON form that attestation services exchange. */
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

const sizeLimit = 256 * 1024;

function refuse(expected: string, cause?: unknown): never {
  throw new EvidenceError(
    'EVIDENCE_STRUCTURE',
    `Azure evidence: ${expected} expected, something else found`,
    { cause },
  );
}

function base64(value: unknown, name: string): Uint8Array {
  if (typeof value !== 'string') return refuse(`base64 in "${name}"`);
  try {
    return Uint8Array.fromBase64(value.replaceAll('-', '+').replaceAll('_', '/'));
  } catch (cause) {
    return refuse(`base64 in "${name}"`, cause);
  }
}

function hex(value: unknown, name: string): Uint8Array {
  if (typeof value !== 'string' || !/^(?:[0-9a-fA-F]{2})*$/.test(value))
    return refuse(`hexadecimal in "${name}"`);
  return Uint8Array.fromHex(value);
}

type Members = Readonly<Record<string, unknown>>;

function members(value: unknown, what: string): Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Members)
    : refuse(what);
}

function readTpm(value: unknown): AzureEvidence['tpm'] {
  if (value === undefined || value === null) return undefined;
  const { message, signature, pcrs } = members(value, 'a "tpm_quote"');
  if (!Array.isArray(pcrs) || pcrs.length > 32) return refuse('at most 32 "pcrs"');
  return {
    message: hex(message, 'message'),
    signature: hex(signature, 'signature'),
    pcrs: (pcrs as unknown[]).map((pcr) => hex(pcr, 'pcrs')),
  };
}

export function isAzureEvidence(bytes: Uint8Array): boolean {
  const start = bytes.subarray(0, 64).findIndex((byte) => byte > 0x20);
  if (start < 0 || bytes[start] !== 0x7b || bytes.length > sizeLimit) return false;
  return new TextDecoder('latin1').decode(bytes).includes('"hcl_report"');
}

/** Parses attacker-controlled JSON with `hcl_report`, `tpm_quote` and `td_quote` or `vcek`; throws `EvidenceError`. */
export function parseAzureEvidence(bytes: Uint8Array): AzureEvidence {
  if (bytes.length > sizeLimit)
    throw new EvidenceError(
      'EVIDENCE_SIZE',
      `Azure evidence: at most ${sizeLimit} bytes expected, ${bytes.length} found`,
    );
  let value: unknown;
  try {
    value = JSON.parse(fromUtf8(bytes));
  } catch (cause) {
    return refuse('JSON', cause);
  }
  const outer = members(value, 'an object');
  const data = outer['hcl_report'] === undefined ? members(outer['evidence'], 'an "hcl_report"') : outer;
  const optional = (name: string): Uint8Array | undefined =>
    data[name] === undefined || data[name] === null ? undefined : base64(data[name], name);
  return {
    hclReport: base64(data['hcl_report'], 'hcl_report'),
    tdQuote: optional('td_quote'),
    vcek: optional('vcek'),
    tpm: readTpm(data['tpm_quote']),
  };
}
