import { concatBytes, utf8 } from '@ensconce/base/bytes';
import { decodeCbor, encodeByteString, type Cbor, type CborMap } from '../cbor.ts';
import { EvidenceError, reading } from '../errors.ts';
import { parseNitroBody, type NitroBody } from './body.ts';

/** An AWS Nitro attestation document: COSE_Sign1 (RFC 9052) with ES384, usually without its tag. */
export interface NitroDocument {
  readonly tee: 'nitro';
  readonly body: NitroBody;
  /** Sig_structure: what is signed. */
  readonly signed: Uint8Array;
  /** r‖s, 96 bytes. */
  readonly signature: Uint8Array;
}

/** Bytes; real documents have 4 to 5 KiB. */
export const documentLimit = 65_536;
const es384 = -35;

function refuse(expected: string): never {
  throw new EvidenceError('EVIDENCE_STRUCTURE', `Nitro document: ${expected} expected, something else found`);
}

function sigStructure(protectedHeader: Uint8Array, payload: Uint8Array): Uint8Array {
  const context = utf8('Signature1');
  return concatBytes(
    Uint8Array.of(0x84, 0x60 | context.length),
    context,
    encodeByteString(protectedHeader),
    encodeByteString(new Uint8Array()),
    encodeByteString(payload),
  );
}

/** Parses an attacker-controlled document; throws `EvidenceError`. */
export function parseNitroDocument(bytes: Uint8Array): NitroDocument {
  if (bytes.length > documentLimit) {
    throw new EvidenceError(
      'EVIDENCE_SIZE',
      `Nitro document: at most ${documentLimit} bytes expected, ${bytes.length} found`,
    );
  }
  return reading(() => {
    const outer = decodeCbor(bytes);
    if (!Array.isArray(outer) || outer.length !== 4) return refuse('a COSE_Sign1 array of four');
    const [protectedHeader, , payload, signature] = outer as readonly Cbor[];
    if (!(protectedHeader instanceof Uint8Array)) return refuse('a protected header');
    const header = decodeCbor(protectedHeader);
    if (!(header instanceof Map) || (header as CborMap).get(1) !== es384)
      return refuse('algorithm ES384 (-35)');
    if (!(payload instanceof Uint8Array)) return refuse('a payload');
    if (!(signature instanceof Uint8Array) || signature.length !== 96)
      return refuse('a signature of 96 bytes');
    return {
      tee: 'nitro',
      body: parseNitroBody(payload),
      signed: sigStructure(protectedHeader, payload),
      signature,
    };
  });
}
