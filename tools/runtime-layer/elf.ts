import { EnsconceError } from '@ensconce/base/errors';

/** A file that is not the ELF file that its maker means. */
export class ElfError extends EnsconceError<'ELF_INVALID'> {}

function invalid(found: string): ElfError {
  return new ElfError('ELF_INVALID', `ELF: a whole 64-bit little-endian file expected, ${found} found`);
}

const headerLength = 64;
const segmentLength = 56;

/**
 * The part of an ELF file that the kernel and the loader use: everything up to the end of the last segment. Sections,
 * symbols and debugging information behind it go, the section table is forgotten (System V ABI, ELF-64 object format).
 */
export function withoutSections(elf: Buffer): Buffer {
  if (elf.length < headerLength) throw invalid(`${elf.length} bytes`);
  if (elf.readUInt32BE(0) !== 0x7f454c46 || elf[4] !== 2 || elf[5] !== 1) throw invalid('another kind');
  const headersAt = elf.readBigUInt64LE(32);
  const headers = elf.readUInt16LE(56);
  if (elf.readUInt16LE(54) !== segmentLength || headers === 0) throw invalid('another table of segments');
  const headersEnd = headersAt + BigInt(headers * segmentLength);
  if (headersEnd > BigInt(elf.length)) throw invalid('a cut table of segments');
  let end = headersEnd;
  for (let i = 0; i < headers; i++) {
    const at = Number(headersAt) + i * segmentLength;
    const segmentEnd = elf.readBigUInt64LE(at + 8) + elf.readBigUInt64LE(at + 32);
    if (segmentEnd > end) end = segmentEnd;
  }
  if (end > BigInt(elf.length)) throw invalid('a cut segment');
  const kept = Buffer.from(elf.subarray(0, Number(end)));
  kept.writeBigUInt64LE(0n, 40);
  kept.writeUInt16LE(0, 60);
  kept.writeUInt16LE(0, 62);
  return kept;
}
