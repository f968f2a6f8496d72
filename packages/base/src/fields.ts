import { concatBytes, utf8 } from './bytes.ts';

/**
 * The injective encoding that Ensconce hashes and signs: a domain label, then each field, every one preceded by its
 * length as u32 big-endian. Two different lists of fields never give the same bytes (docs/protocol/binding.md).
 */
export function encodeFields(label: string, fields: readonly Uint8Array[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const field of [utf8(label), ...fields]) {
    if (field.length > 0xffff_ffff) throw new RangeError('a field is longer than 2³² − 1 bytes');
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, field.length, false);
    parts.push(length, field);
  }
  return concatBytes(...parts);
}
