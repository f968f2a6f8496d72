import { utf8 } from './bytes.ts';

/**
 * The injective encoding that Ensconce hashes and signs: a domain label, then each field, every one preceded by its
 * length as u32 big-endian. Two different lists of fields never give the same bytes (docs/protocol/binding.md).
 */
export function encodeFields(label: string, fields: readonly Uint8Array[]): Uint8Array {
  const all = [utf8(label), ...fields];
  const encoded = new Uint8Array(all.reduce((size, field) => size + 4 + field.length, 0));
  const view = new DataView(encoded.buffer);
  let at = 0;
  for (const field of all) {
    if (field.length > 0xffff_ffff) throw new RangeError('a field is longer than 2³² − 1 bytes');
    view.setUint32(at, field.length, false);
    encoded.set(field, at + 4);
    at += 4 + field.length;
  }
  return encoded;
}
