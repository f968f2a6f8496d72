import { concatBytes, utf8 } from '@ensconce/base/bytes';
import { EvidenceError, reading } from './errors.ts';
import { isMembers, jsonBytes, looseJson, type Members } from './encoding.ts';
import { parseCertificateTable } from './snp/certificate-table.ts';
import { encodeReportFields } from './snp/fields.ts';
import { reportSize } from './snp/quote.ts';

/** One entry of a log that is kept as JSON: which register was extended, by a digest or by that of what stands there in full. */
export type RegisterEvent = { readonly index: number } & (
  | { readonly digest: Uint8Array }
  | { readonly preimage: Uint8Array }
);

/** Evidence taken out of what it was handed around in. All of it is attacker-controlled. */
export interface Packaged {
  readonly evidence: Uint8Array;
  /** DER; from the table that a host puts beside its reports. */
  readonly certificates: readonly Uint8Array[];
  /** What the machine says it measured: a firmware's log as it stands, or entries. */
  readonly eventLog: Uint8Array | readonly RegisterEvent[] | undefined;
}

const jsonLimit = 8 * 1024 * 1024;
const eventLimit = 65_536;
const chainLimit = 16;
/** Header of an Open Enclave report: version 1, type 2 (SGX, remote), then the size. */
const openEnclaveHeader = 16;
const newest = 5;

function certificatesOf(table: Uint8Array): Uint8Array[] {
  return table.length === 0 ? [] : parseCertificateTable(table).map((entry) => entry.data);
}

/** A list of certificates with their kinds, or certificates by name, as attestation services hand them around beside a report. */
function certificateChain(value: unknown): Uint8Array[] {
  const all: unknown[] = Array.isArray(value) ? value : isMembers(value) ? Object.values(value) : [];
  const given = all
    .map((entry) => (isMembers(entry) ? entry['data'] : entry))
    .filter((entry) => entry !== undefined && entry !== null);
  if (given.length > chainLimit)
    throw new EvidenceError(
      'EVIDENCE_SIZE',
      `cert_chain: at most ${chainLimit} certificates expected, ${given.length} found`,
    );
  return given.map((entry) => jsonBytes(entry, 'cert_chain'));
}

function registerEvent(value: unknown): RegisterEvent {
  const index = isMembers(value) ? (value['imr'] ?? value['index']) : undefined;
  if (!isMembers(value) || typeof index !== 'number' || !Number.isInteger(index) || index < 0 || index > 31)
    throw new EvidenceError(
      'EVIDENCE_STRUCTURE',
      'event log: entries with "imr" and "digest" expected, others found',
    );
  const { digest } = value;
  if (digest !== undefined && digest !== '') return { index, digest: jsonBytes(digest, 'digest') };
  return { index, preimage: runtimeEvent(value) };
}

/** An event that dstack's guest records while it runs: the digest is over type, name and payload, and short logs leave it out. */
function runtimeEvent({ event_type: type, event, event_payload: payload }: Members): Uint8Array {
  if (typeof type !== 'number' || typeof event !== 'string' || typeof payload !== 'string')
    throw new EvidenceError(
      'EVIDENCE_STRUCTURE',
      'event log: entries with a digest, or with type, name and payload expected, others found',
    );
  const head = new Uint8Array(4);
  new DataView(head.buffer).setUint32(0, type, true);
  const data = payload === '' ? new Uint8Array() : jsonBytes(payload, 'event_payload');
  return concatBytes(head, utf8(':'), utf8(event), utf8(':'), data);
}

function readEventLog(value: unknown): Packaged['eventLog'] {
  if (value === undefined || value === null || value === '') return undefined;
  const entries =
    typeof value === 'string' && value.trimStart().startsWith('[')
      ? looseJson(new TextEncoder().encode(value), jsonLimit)
      : value;
  if (!Array.isArray(entries)) return jsonBytes(value, 'event_log');
  if (entries.length > eventLimit)
    throw new EvidenceError('EVIDENCE_SIZE', `event log: at most ${eventLimit} entries expected, more found`);
  return (entries as unknown[]).map((entry) => registerEvent(entry));
}

/** configfs-tsm's blobs by their names, an SNP report with its certificates, a quote with an event log, or undefined for other JSON. Throws `EvidenceError`. */
export function unpackMembers(members: Members): Packaged | undefined {
  if (members['outblob'] !== undefined) {
    const table = members['auxblob'];
    return {
      evidence: jsonBytes(members['outblob'], 'outblob'),
      certificates: table === undefined || table === null ? [] : certificatesOf(jsonBytes(table, 'auxblob')),
      eventLog: undefined,
    };
  }
  const { attestation_report: report, quote } = members;
  if (isMembers(report) || typeof report === 'string' || Array.isArray(report)) {
    return {
      evidence: isMembers(report) ? encodeReportFields(report) : jsonBytes(report, 'attestation_report'),
      certificates: certificateChain(members['cert_chain']),
      eventLog: undefined,
    };
  }
  if (typeof quote !== 'string' && !Array.isArray(quote)) return undefined;
  return {
    evidence: jsonBytes(quote, 'quote'),
    certificates: [],
    eventLog: readEventLog(members['event_log'] ?? members['cc_eventlog'] ?? members['eventlog']),
  };
}

/** A report with its certificate table directly behind it, as the guest driver's extended request gives them. */
function extendedReport(bytes: Uint8Array): Packaged | undefined {
  const version = bytes[0] ?? 0;
  if (bytes.length <= reportSize || version < 2 || version > newest || bytes[0x34] !== 1) return undefined;
  try {
    const entries = parseCertificateTable(bytes.subarray(reportSize));
    if (!entries.some((entry) => entry.kind !== undefined)) return undefined;
    return {
      evidence: bytes.subarray(0, reportSize),
      certificates: entries.map((entry) => entry.data),
      eventLog: undefined,
    };
  } catch (error) {
    if (error instanceof EvidenceError) return undefined;
    throw error;
  }
}

function openEnclaveReport(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes.length <= openEnclaveHeader) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const is =
    view.getUint32(0, true) === 1 &&
    view.getUint32(4, true) === 2 &&
    view.getBigUint64(8, true) === BigInt(bytes.length - openEnclaveHeader);
  return is ? bytes.subarray(openEnclaveHeader) : undefined;
}

/** Attestation services wrap what they were given once more, beside the name of the TEE. */
const within = (value: unknown): Packaged | undefined =>
  isMembers(value) ? unpackMembers(value) : undefined;

/**
 * Takes evidence out of the packaging that tools give it: JSON with the blobs of configfs-tsm, a quote with its event log, an SNP
 * report as bytes or fields with its certificates, bytes as numbers, a report with its certificate table, an Open Enclave header. What is not packaged comes back as it is. Throws `EvidenceError`.
 */
export function unpackEvidence(bytes: Uint8Array): Packaged {
  return reading(() => {
    const json = looseJson(bytes, jsonLimit);
    const packaged = Array.isArray(json)
      ? { evidence: jsonBytes(json, 'evidence'), certificates: [], eventLog: undefined }
      : isMembers(json)
        ? (unpackMembers(json) ?? within(json['evidence']))
        : extendedReport(bytes);
    if (packaged !== undefined) return packaged;
    return { evidence: openEnclaveReport(bytes) ?? bytes, certificates: [], eventLog: undefined };
  });
}
