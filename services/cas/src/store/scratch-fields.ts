const scratch = Buffer.allocUnsafeSlow(65_536);

/**
 * `encodeFields(label, fields)` of packages/base, whose bytes are not made anew for each of millions of records: what is returned is a view that
 * the next call makes worthless. Undefined where it would not fit. Labels are ASCII, texts are written as UTF-8.
 */
export function scratchFields(
  label: string,
  fields: readonly (string | Uint8Array)[],
): Uint8Array | undefined {
  // A UTF-16 unit takes at most three bytes.
  const most = (field: string | Uint8Array): number =>
    4 + (typeof field === 'string' ? 3 * field.length : field.length);
  let size = 4 + label.length;
  for (const field of fields) size += most(field);
  if (size > scratch.length) return undefined;
  let at = scratch.writeUInt32BE(label.length, 0);
  at += scratch.write(label, at, 'latin1');
  for (const field of fields) {
    let length = field.length;
    if (typeof field === 'string') length = scratch.write(field, at + 4);
    else scratch.set(field, at + 4);
    at = scratch.writeUInt32BE(length, at) + length;
  }
  return scratch.subarray(0, at);
}
