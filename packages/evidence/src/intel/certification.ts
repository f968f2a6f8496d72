import { ByteReader } from '@ensconce/base/bytes';
import { EvidenceError } from '../errors.ts';

interface PlatformTcb {
  /** 16 bytes. */
  readonly cpuSvn: Uint8Array;
  readonly pceSvn: number;
  /** 2 bytes; absent in a 34-byte type 1. */
  readonly pceId: Uint8Array | undefined;
}

/** How the quote says which PCK certificate signed the QE report (DCAP quote library API, table "Certification Data"). */
export type CertificationData =
  | ({ readonly type: 1; readonly ppid: Uint8Array } & PlatformTcb)
  /** PPID encrypted to Intel's provisioning service: RSA-2048-OAEP (2) or RSA-3072-OAEP (3). */
  | ({ readonly type: 2 | 3; readonly encryptedPpid: Uint8Array } & PlatformTcb)
  /** PEM: the leaf (4), or leaf, intermediate and root in any order (5). Attacker-controlled text, at most 32 KiB. */
  | { readonly type: 4 | 5; readonly bytes: Uint8Array };

const pemLimit = 32_768;
const encryptedPpidSizes = { 2: 256, 3: 384 } as const;
const latin1 = new TextDecoder('latin1');

function platformTcb(reader: ByteReader, idOptional: boolean): PlatformTcb {
  const cpuSvn = reader.bytes(16, 'CPUSVN');
  const pceSvn = reader.u16('PCESVN');
  const pceId = idOptional && reader.remaining === 0 ? undefined : reader.bytes(2, 'PCEID');
  reader.end();
  return { cpuSvn, pceSvn, pceId };
}

function certificates(type: 4 | 5, bytes: Uint8Array): CertificationData {
  if (bytes.length > pemLimit) {
    throw new EvidenceError(
      'EVIDENCE_SIZE',
      `quote: certificates of at most ${pemLimit} bytes expected, ${bytes.length} found`,
    );
  }
  return { type, bytes };
}

/** Parses certification data of types 1 to 5; `type` and `data` as the quote carries them. */
export function parseCertificationData(type: number, data: Uint8Array): CertificationData {
  const reader = new ByteReader(data, `quote: certification data of type ${type}`);
  switch (type) {
    case 1:
      return { type, ppid: reader.bytes(16, 'PPID'), ...platformTcb(reader, true) };
    case 2:
    case 3:
      return {
        type,
        encryptedPpid: reader.bytes(encryptedPpidSizes[type], 'encrypted PPID'),
        ...platformTcb(reader, false),
      };
    case 4:
    case 5:
      return certificates(type, data);
    default:
      throw new EvidenceError(
        'EVIDENCE_UNSUPPORTED',
        `quote: certification data of type 1 to 5 expected, type ${type} found`,
      );
  }
}

/** The PEM text of certification data of type 4 or 5. Decoded only when asked for: verifiers know most chains by their digest. */
export function pemOf(certification: { readonly bytes: Uint8Array }): string {
  return latin1.decode(certification.bytes);
}
