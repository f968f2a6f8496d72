/** A small generator of random numbers that can be repeated (mulberry32). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const interesting = [
  0, 1, 2, 3, 4, 5, 6, 7, 0x1f, 0x20, 0x30, 0x7f, 0x80, 0x81, 0x82, 0x84, 0xa0, 0xbf, 0xff,
];

/** One to eight changes of the kinds that break parsers: bytes, lengths, cuts, repeats, pieces of another input. */
export function mutate(input: Uint8Array, other: Uint8Array, next: () => number): Uint8Array {
  const at = (length: number): number => Math.floor(next() * length);
  let bytes = Uint8Array.from(input);
  for (let changes = 1 + at(8); changes > 0; changes--) {
    const position = at(bytes.length || 1);
    switch (at(7)) {
      case 0:
        bytes[position] = at(256);
        break;
      case 1:
        bytes[position] = interesting[at(interesting.length)] ?? 0;
        break;
      case 2:
        bytes[position] = (bytes[position] ?? 0) ^ (1 << at(8));
        break;
      case 3:
        bytes = bytes.subarray(0, position);
        break;
      case 4: {
        const length = at(64);
        bytes = Uint8Array.of(...bytes.subarray(0, position), ...bytes.subarray(position + length));
        break;
      }
      case 5: {
        const piece = bytes.subarray(position, position + at(64));
        bytes = Uint8Array.of(...bytes.subarray(0, position), ...piece, ...bytes.subarray(position));
        break;
      }
      default: {
        const piece = other.subarray(at(other.length || 1)).subarray(0, at(128));
        bytes.set(piece.subarray(0, bytes.length - position), position);
      }
    }
  }
  return bytes;
}
