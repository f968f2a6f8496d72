import { EvidenceError } from '../errors.ts';
import { headerSize, readHeader, teeTypes, type QuoteHeader } from './header.ts';
import type { ByteReader } from '@ensconce/base/bytes';

/** What kind of body a quote has. Version 5 names it, versions 3 and 4 imply it. */
export type BodyKind = 'sgx' | 'td-1.0' | 'td-1.5' | 'td-1.5-extended';

export const bodySizes: Readonly<Record<BodyKind, number>> = {
  sgx: 384,
  'td-1.0': 584,
  'td-1.5': 648,
  'td-1.5-extended': 885,
};

/** Body types of version 5 (DCAP quote library API, `sgx_quote_5.h`). */
const kinds: readonly (BodyKind | undefined)[] = [undefined, 'sgx', 'td-1.0', 'td-1.5', 'td-1.5-extended'];

export interface QuoteStart {
  readonly header: QuoteHeader;
  readonly kind: BodyKind;
  readonly body: Uint8Array;
  /** Everything from the start of the quote to the end of the body: what the attestation key signed. */
  readonly signed: Uint8Array;
}

function readKind(reader: ByteReader): BodyKind {
  const type = reader.u16('body type');
  const size = reader.u32('body size');
  const kind = kinds[type];
  if (kind === undefined)
    throw new EvidenceError('EVIDENCE_UNSUPPORTED', `quote: body type 1 to 4 expected, ${type} found`);
  if (size !== bodySizes[kind]) {
    throw new EvidenceError(
      'EVIDENCE_STRUCTURE',
      `quote: a body of ${bodySizes[kind]} bytes expected for type ${type}, ${size} found`,
    );
  }
  return kind;
}

function impliedKind(header: QuoteHeader): BodyKind {
  if (header.teeType === teeTypes.sgx) return 'sgx';
  if (header.teeType === teeTypes.tdx && header.version === 4) return 'td-1.0';
  throw new EvidenceError(
    'EVIDENCE_STRUCTURE',
    `quote: TEE type 0 (SGX)${header.version === 4 ? ' or 0x81 (TDX)' : ''} expected in version ${header.version}, 0x${header.teeType.toString(16)} found`,
  );
}

/** Reads header and body, from the first byte of `bytes`, of a quote of one of `versions`. */
export function readQuoteStart(
  bytes: Uint8Array,
  reader: ByteReader,
  versions: readonly number[],
): QuoteStart {
  const header = readHeader(reader, versions);
  const kind = header.version === 5 ? readKind(reader) : impliedKind(header);
  const expected = kind === 'sgx' ? teeTypes.sgx : teeTypes.tdx;
  if (header.teeType !== expected) {
    throw new EvidenceError(
      'EVIDENCE_STRUCTURE',
      `quote: TEE type 0x${expected.toString(16)} expected with this body, 0x${header.teeType.toString(16)} found`,
    );
  }
  const body = reader.bytes(bodySizes[kind], 'body');
  return { header, kind, body, signed: bytes.subarray(0, reader.offset) };
}

/** The TEE that a quote's header names, without reading further; undefined where it is no Intel quote. */
export function quoteTee(bytes: Uint8Array): 'sgx' | 'tdx' | undefined {
  if (bytes.length < headerSize) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getUint16(0, true);
  const keyType = view.getUint16(2, true);
  // Where a quote names its key type, never zero, an SEV-SNP report has the upper half of its version.
  if (version < 3 || version > 5 || keyType === 0 || keyType > 4) return undefined;
  const type = view.getUint32(4, true);
  // Version 3 has no TEE type: what stands there was reserved.
  if (version === 3 || type === teeTypes.sgx) return 'sgx';
  return type === teeTypes.tdx ? 'tdx' : undefined;
}
