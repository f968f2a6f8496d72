/** Big-endian, as TPMs write integers. */
export function u16be(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 0xff);
}

export function u32be(value: number): Uint8Array {
  return u32(value).toReversed();
}

export function u64be(value: bigint): Uint8Array {
  return u64(value).toReversed();
}

/** Little-endian, as Intel and AMD write integers. */
export function u16(value: number): Uint8Array {
  return Uint8Array.of(value & 0xff, value >> 8);
}

export function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

export function u64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value, true);
  return bytes;
}
