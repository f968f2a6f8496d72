import { ByteReader, fromUtf8 } from '@ensconce/base/bytes';
import { EvidenceError } from './errors.ts';

/** A decoded data item. Byte strings are views of the input. */
export type Cbor = number | string | boolean | null | Uint8Array | readonly Cbor[] | CborMap;
/** Keys are text or integers. */
export type CborMap = ReadonlyMap<string | number, Cbor>;

const depthLimit = 16;
const itemLimit = 4096;
const breakByte = 0xff;

function refuse(expected: string, found: string): never {
  throw new EvidenceError('EVIDENCE_STRUCTURE', `CBOR: ${expected} expected, ${found} found`);
}

/** The part of CBOR (RFC 8949) that attestation documents use: no floats, no tags but a skipped outer one, strings of definite length. */
class CborReader {
  readonly #reader: ByteReader;
  readonly #bytes: Uint8Array;
  #items = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#reader = new ByteReader(bytes, 'CBOR');
  }

  /** The argument of a head; undefined for an indefinite length. */
  #argument(information: number): number | undefined {
    if (information < 24) return information;
    if (information === 24) return this.#reader.u8('argument');
    if (information === 25) return this.#reader.u16be('argument');
    if (information === 26) return this.#reader.u32be('argument');
    if (information === 27) {
      const value = this.#reader.u32be('argument') * 2 ** 32 + this.#reader.u32be('argument');
      return Number.isSafeInteger(value) ? value : refuse('integers below 2⁵³', 'a larger one');
    }
    return information === 31 ? undefined : refuse('a known length', `${information}`);
  }

  #string(length: number | undefined): Uint8Array {
    return this.#reader.bytes(length ?? refuse('strings of definite length', 'an indefinite one'), 'string');
  }

  #more(count: number | undefined, done: number): boolean {
    if (count !== undefined) return done < count;
    if (this.#bytes[this.#reader.offset] !== breakByte) return true;
    this.#reader.u8('break');
    return false;
  }

  #array(count: number | undefined, depth: number): Cbor[] {
    const items: Cbor[] = [];
    while (this.#more(count, items.length)) items.push(this.item(depth));
    return items;
  }

  #map(count: number | undefined, depth: number): CborMap {
    const map = new Map<string | number, Cbor>();
    while (this.#more(count, map.size)) {
      const key = this.item(depth);
      if (typeof key !== 'string' && typeof key !== 'number')
        refuse('text or integer keys', 'another kind of key');
      if (map.has(key)) refuse('each key once', `${key} twice`);
      map.set(key, this.item(depth));
    }
    return map;
  }

  #text(bytes: Uint8Array): string {
    try {
      return fromUtf8(bytes);
    } catch (cause) {
      throw new EvidenceError('EVIDENCE_STRUCTURE', 'CBOR: UTF-8 expected, other bytes found', { cause });
    }
  }

  item(depth = depthLimit): Cbor {
    if (depth === 0) refuse(`at most ${depthLimit} levels`, 'more');
    if (++this.#items > itemLimit) refuse(`at most ${itemLimit} items`, 'more');
    const head = this.#reader.u8('item');
    const argument = this.#argument(head & 0x1f);
    switch (head >> 5) {
      case 0:
        return argument ?? refuse('an integer', 'an indefinite length');
      case 1:
        return -1 - (argument ?? refuse('an integer', 'an indefinite length'));
      case 2:
        return this.#string(argument);
      case 3:
        return this.#text(this.#string(argument));
      case 4:
        return this.#array(argument, depth - 1);
      case 5:
        return this.#map(argument, depth - 1);
      case 6:
        return this.item(depth - 1);
      default:
        return argument === 20
          ? false
          : argument === 21
            ? true
            : argument === 22
              ? null
              : refuse('a known simple value', `${argument}`);
    }
  }

  end(): void {
    this.#reader.end();
  }
}

/** Decodes exactly one item from attacker-controlled bytes. */
export function decodeCbor(bytes: Uint8Array): Cbor {
  const reader = new CborReader(bytes);
  const item = reader.item();
  reader.end();
  return item;
}

/** A byte string with its head. */
export function encodeByteString(bytes: Uint8Array): Uint8Array {
  const { length } = bytes;
  const head =
    length < 24
      ? [0x40 | length]
      : length < 256
        ? [0x58, length]
        : length < 65_536
          ? [0x59, length >> 8, length & 0xff]
          : [0x5a, length >>> 24, (length >> 16) & 0xff, (length >> 8) & 0xff, length & 0xff];
  const out = new Uint8Array(head.length + length);
  out.set(head);
  out.set(bytes, head.length);
  return out;
}
