/**
 * The part of an ELF file that the kernel and the loader use: everything up to the end of the last segment. Sections,
 * symbols and debugging information behind it go, the section table is forgotten. Only 64-bit little-endian files.
 */
export function withoutSections(elf: Buffer): Buffer {
  if (elf.readUInt32BE(0) !== 0x7f454c46 || elf[4] !== 2 || elf[5] !== 1)
    throw new RangeError('a 64-bit little-endian ELF file expected');
  const headersAt = Number(elf.readBigUInt64LE(32));
  const headerSize = elf.readUInt16LE(54);
  const headers = elf.readUInt16LE(56);
  let end = headersAt + headers * headerSize;
  for (let i = 0; i < headers; i++) {
    const at = headersAt + i * headerSize;
    end = Math.max(end, Number(elf.readBigUInt64LE(at + 8) + elf.readBigUInt64LE(at + 32)));
  }
  const kept = Buffer.from(elf.subarray(0, end));
  kept.writeBigUInt64LE(0n, 40);
  kept.writeUInt16LE(0, 60);
  kept.writeUInt16LE(0, 62);
  return kept;
}
