import { decodeCbor, type Cbor, type CborMap } from '../cbor.ts';
import { EvidenceError } from '../errors.ts';

/** The payload of an AWS Nitro attestation document (AWS, "Nitro Enclaves attestation process"). */
export interface NitroBody {
  readonly moduleId: string;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  readonly pcrs: ReadonlyMap<number, Uint8Array>;
  /** DER of the certificate whose key signed the document. */
  readonly certificate: Uint8Array;
  /** DER, root first. */
  readonly cabundle: readonly Uint8Array[];
  readonly publicKey: Uint8Array | null;
  readonly userData: Uint8Array | null;
  readonly nonce: Uint8Array | null;
}

const bundleLimit = 16;

function refuse(expected: string): never {
  throw new EvidenceError('EVIDENCE_STRUCTURE', `Nitro document: ${expected} expected, something else found`);
}

function bytes(value: Cbor | undefined, name: string, limit: number): Uint8Array {
  return value instanceof Uint8Array && value.length <= limit
    ? value
    : refuse(`"${name}" of at most ${limit} bytes`);
}

function optional(value: Cbor | undefined, name: string, limit: number): Uint8Array | null {
  return value === undefined || value === null ? null : bytes(value, name, limit);
}

function readPcrs(value: Cbor | undefined): Map<number, Uint8Array> {
  if (!(value instanceof Map) || value.size === 0 || value.size > 32) return refuse('1 to 32 PCRs');
  const pcrs = new Map<number, Uint8Array>();
  for (const [index, pcr] of value as CborMap) {
    if (typeof index !== 'number' || index < 0 || index > 31) return refuse('PCR indexes from 0 to 31');
    const read = bytes(pcr, `PCR ${index}`, 64);
    if (![32, 48, 64].includes(read.length)) return refuse('PCRs of 32, 48 or 64 bytes');
    pcrs.set(index, read);
  }
  return pcrs;
}

function readBundle(value: Cbor | undefined): Uint8Array[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > bundleLimit)
    return refuse(`a "cabundle" of 1 to ${bundleLimit} certificates`);
  return (value as readonly Cbor[]).map((item) => bytes(item, 'cabundle', 4096));
}

/** Parses the attacker-controlled payload. */
export function parseNitroBody(payload: Uint8Array): NitroBody {
  const map = decodeCbor(payload);
  if (!(map instanceof Map)) return refuse('a map');
  const body = map as CborMap;
  const moduleId = body.get('module_id');
  const timestamp = body.get('timestamp');
  if (typeof moduleId !== 'string' || moduleId.length === 0 || moduleId.length > 256)
    return refuse('a "module_id"');
  if (typeof timestamp !== 'number' || timestamp <= 0) return refuse('a "timestamp"');
  if (body.get('digest') !== 'SHA384') return refuse('"digest" SHA384');
  return {
    moduleId,
    timestamp,
    pcrs: readPcrs(body.get('pcrs')),
    certificate: bytes(body.get('certificate'), 'certificate', 4096),
    cabundle: readBundle(body.get('cabundle')),
    publicKey: optional(body.get('public_key'), 'public_key', 1024),
    userData: optional(body.get('user_data'), 'user_data', 1024),
    nonce: optional(body.get('nonce'), 'nonce', 1024),
  };
}
