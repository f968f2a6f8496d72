import { ByteReader } from '@ensconce/base/bytes';
import { parseEnclaveReport, type EnclaveReport } from '../sgx/body.ts';
import { parseCertificationData, type CertificationData } from './certification.ts';
import { EvidenceError } from '../errors.ts';

/** What stands behind a quote's body: the signature by the attestation key, and how the platform vouches for that key. */
export interface QuoteAuthentication {
  /** r‖s by the attestation key over the signed region of the quote. */
  readonly signature: Uint8Array;
  /** x‖y on P-256. */
  readonly attestationKey: Uint8Array;
  readonly qeReport: EnclaveReport;
  /** r‖s by the PCK over the 384 bytes of the QE report. */
  readonly qeReportSignature: Uint8Array;
  /** At most 65535 bytes; 32 in practice. */
  readonly qeAuthenticationData: Uint8Array;
  readonly certification: CertificationData;
  /** From the attestation key to the end of the QE authentication data: with the certification, all that the trust in the key rests on. */
  readonly vouching: Uint8Array;
}

const signatureSize = 64;
/** Certification data of type 6 wraps the QE report since version 4. */
const qeReportCertification = 6;

function readCertification(reader: ByteReader): CertificationData {
  const type = reader.u16('certification data type');
  const size = reader.u32('certification data size');
  const data = reader.bytes(size, 'certification data');
  reader.end();
  return parseCertificationData(type, data);
}

/** Reads what follows the attestation key; `bytes` is the whole authentication data, of which `reader` has the rest or a part. */
function readQe(
  reader: ByteReader,
  bytes: Uint8Array,
): Omit<QuoteAuthentication, 'signature' | 'attestationKey'> {
  const qeReport = parseEnclaveReport(reader.bytes(384, 'QE report'));
  const qeReportSignature = reader.bytes(64, 'QE report signature');
  const qeAuthenticationData = reader.bytes(
    reader.u16('QE authentication data size'),
    'QE authentication data',
  );
  const end = qeAuthenticationData.byteOffset + qeAuthenticationData.length - bytes.byteOffset;
  return {
    qeReport,
    qeReportSignature,
    qeAuthenticationData,
    certification: readCertification(reader),
    vouching: bytes.subarray(signatureSize, end),
  };
}

/** Reads the authentication data of version 3 (`wrapped` false) or 4 and 5 (true) from its exact, attacker-controlled bytes. */
export function parseAuthentication(bytes: Uint8Array, wrapped: boolean): QuoteAuthentication {
  const reader = new ByteReader(bytes, 'quote: authentication data');
  const signature = reader.bytes(signatureSize, 'signature');
  const attestationKey = reader.bytes(64, 'attestation key');
  if (!wrapped) return { signature, attestationKey, ...readQe(reader, bytes) };
  const type = reader.u16('certification data type');
  if (type !== qeReportCertification) {
    throw new EvidenceError(
      'EVIDENCE_UNSUPPORTED',
      `quote: certification data of type 6 (QE report) expected, type ${type} found`,
    );
  }
  const inner = reader.bytes(reader.u32('certification data size'), 'certification data');
  reader.end();
  return {
    signature,
    attestationKey,
    ...readQe(new ByteReader(inner, 'quote: QE report certification data'), bytes),
  };
}

/** How bytes after the end of a quote are taken: files and kernel buffers in the wild carry zero padding. */
export type Trailing = 'refuse' | 'ignore';

/** Reads the length-prefixed authentication data at the end of a quote and enforces that it is the end. */
export function readAuthentication(
  reader: ByteReader,
  wrapped: boolean,
  trailing: Trailing,
): QuoteAuthentication {
  const size = reader.u32('authentication data size');
  const authentication = parseAuthentication(reader.bytes(size, 'authentication data'), wrapped);
  if (trailing === 'refuse' && reader.remaining > 0) {
    throw new EvidenceError(
      'EVIDENCE_SIZE',
      `quote: the end expected at offset ${reader.offset}, ${reader.remaining} more bytes found`,
      { hint: 'cut the padding off, or allow trailing bytes' },
    );
  }
  return authentication;
}
