import { ByteReader } from '@ensconce/base/bytes';
import { EvidenceError, reading } from '../errors.ts';

export type TpmHash = 'sha1' | 'sha256' | 'sha384' | 'sha512';

/** TPM_ALG_ID (TCG Algorithm Registry). */
export const hashAlgorithms: Readonly<Record<number, { readonly name: TpmHash; readonly size: number }>> = {
  0x0004: { name: 'sha1', size: 20 },
  0x000b: { name: 'sha256', size: 32 },
  0x000c: { name: 'sha384', size: 48 },
  0x000d: { name: 'sha512', size: 64 },
};

export interface PcrSelection {
  readonly hash: TpmHash;
  /** Ascending. */
  readonly indexes: readonly number[];
}

/** TPMS_ATTEST of a quote (TPM 2.0 Library, Part 2, §10.12). Big-endian. */
export interface TpmQuoteBody {
  /** The bytes themselves: what is signed. */
  readonly bytes: Uint8Array;
  readonly qualifiedSigner: Uint8Array;
  /** The nonce that was asked for. */
  readonly extraData: Uint8Array;
  readonly clock: bigint;
  readonly resetCount: number;
  readonly restartCount: number;
  readonly safe: boolean;
  readonly firmwareVersion: bigint;
  readonly selections: readonly PcrSelection[];
  readonly pcrDigest: Uint8Array;
}

const magic = 0xff544347;
const attestQuote = 0x8018;

function sized(reader: ByteReader, name: string): Uint8Array {
  return reader.bytes(reader.u16be(`${name} size`), name);
}

function u64be(reader: ByteReader, name: string): bigint {
  return (BigInt(reader.u32be(name)) << 32n) | BigInt(reader.u32be(name));
}

export function hashOf(id: number, what: string): { readonly name: TpmHash; readonly size: number } {
  const hash = hashAlgorithms[id];
  if (hash === undefined) {
    throw new EvidenceError(
      'EVIDENCE_UNSUPPORTED',
      `${what}: a SHA-1 or SHA-2 algorithm expected, 0x${id.toString(16)} found`,
    );
  }
  return hash;
}

function selection(reader: ByteReader): PcrSelection {
  const { name } = hashOf(reader.u16be('hash algorithm'), 'TPM quote');
  const bitmap = reader.bytes(reader.u8('bitmap size'), 'PCR bitmap');
  const indexes = [...bitmap].flatMap((byte, i) =>
    Array.from({ length: 8 }, (_, bit) => bit)
      .filter((bit) => ((byte >> bit) & 1) === 1)
      .map((bit) => 8 * i + bit),
  );
  return { hash: name, indexes };
}

/** Parses an attacker-controlled TPMS_ATTEST that must be a quote; throws `EvidenceError`. */
export function parseTpmQuoteBody(bytes: Uint8Array): TpmQuoteBody {
  return reading(() => {
    const reader = new ByteReader(bytes, 'TPM quote');
    const found = reader.u32be('magic');
    const type = reader.u16be('type');
    if (found !== magic || type !== attestQuote) {
      throw new EvidenceError(
        'EVIDENCE_STRUCTURE',
        `TPM quote: magic ff544347 and type 8018 expected, ${found.toString(16)} and ${type.toString(16)} found`,
      );
    }
    const qualifiedSigner = sized(reader, 'qualified signer');
    const extraData = sized(reader, 'extra data');
    const clock = u64be(reader, 'clock');
    const resetCount = reader.u32be('reset count');
    const restartCount = reader.u32be('restart count');
    const safe = reader.u8('safe') === 1;
    const firmwareVersion = u64be(reader, 'firmware version');
    const count = reader.u32be('selection count');
    if (count > 16)
      throw new EvidenceError('EVIDENCE_SIZE', `TPM quote: at most 16 PCR banks expected, ${count} found`);
    const selections = Array.from({ length: count }, () => selection(reader));
    const pcrDigest = sized(reader, 'PCR digest');
    reader.end();
    return {
      bytes,
      qualifiedSigner,
      extraData,
      clock,
      resetCount,
      restartCount,
      safe,
      firmwareVersion,
      selections,
      pcrDigest,
    };
  });
}
