import { EvidenceError, reading } from '../errors.ts';
import { isMembers, jsonBytes, looseJson } from '../encoding.ts';
import { parseTpmQuote, type TpmQuote } from './quote.ts';

/** What a machine with a TPM shows, in the JSON form that attestation services exchange. */
export interface TpmEvidence {
  readonly tee: 'tpm';
  readonly quote: TpmQuote;
  /** SubjectPublicKeyInfo of the attestation key. */
  readonly attestationKey: Uint8Array;
  /** DER, in any order: the attestation key's certificate and its issuers, where they come along. */
  readonly certificates: readonly Uint8Array[];
  /** By their index. */
  readonly pcrs: readonly Uint8Array[];
  /** A crypto-agile log of the firmware, where it comes along. */
  readonly eventLog: Uint8Array | undefined;
}

const sizeLimit = 8 * 1024 * 1024;
const certificateLimit = 16;

function list(value: unknown, name: string, limit: number): unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || value.length > limit)
    throw new EvidenceError(
      'EVIDENCE_STRUCTURE',
      `TPM evidence: at most ${limit} "${name}" expected, something else found`,
    );
  return value as unknown[];
}

/** Whether bytes are JSON with a TPM quote and its key. Parsing decides. */
export function isTpmEvidence(bytes: Uint8Array): boolean {
  const json = looseJson(bytes, sizeLimit);
  return isMembers(json) && json['ak_public'] !== undefined && isMembers(json['tpm_quote']);
}

/** Parses attacker-controlled JSON with `ak_public`, `tpm_quote` and, where there are any, `ak_certificates` and `event_log`. */
export function parseTpmEvidence(bytes: Uint8Array): TpmEvidence {
  const json = looseJson(bytes, sizeLimit);
  const quote = isMembers(json) ? json['tpm_quote'] : undefined;
  if (!isMembers(json) || !isMembers(quote))
    throw new EvidenceError(
      'EVIDENCE_STRUCTURE',
      'TPM evidence: JSON with a "tpm_quote" expected, something else found',
    );
  const log = json['event_log'];
  return reading(() => ({
    tee: 'tpm',
    quote: parseTpmQuote(jsonBytes(quote['message'], 'message'), jsonBytes(quote['signature'], 'signature')),
    attestationKey: jsonBytes(json['ak_public'], 'ak_public'),
    certificates: list(json['ak_certificates'], 'ak_certificates', certificateLimit).map((one) =>
      jsonBytes(one, 'ak_certificates'),
    ),
    pcrs: list(quote['pcrs'], 'pcrs', 32).map((one) => jsonBytes(one, 'pcrs')),
    eventLog: log === undefined || log === null ? undefined : jsonBytes(log, 'event_log'),
  }));
}
