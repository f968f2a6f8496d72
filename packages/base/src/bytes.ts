import { EnsconceError } from './errors.ts';

export type BytesErrorCode = 'BYTES_SHORT' | 'BYTES_TRAILING' | 'BYTES_HEX';

/** A byte string that does not have the length or form its reader expects. */
export class BytesError extends EnsconceError<BytesErrorCode> {}

/** Lower-case hexadecimal of `bytes`. */
export function toHex(bytes: Uint8Array): string {
  return bytes.toHex();
}

/** The bytes that `hex` (any case, even length) stands for; `length`, where given, is in bytes and must match. */
export function fromHex(hex: string, length?: number): Uint8Array {
  if (!/^(?:[0-9a-fA-F]{2})*$/.test(hex) || (length !== undefined && hex.length !== length * 2)) {
    const expected =
      length === undefined ? 'an even number of hexadecimal digits' : `${length * 2} hexadecimal digits`;
    throw new BytesError('BYTES_HEX', `${expected} expected, ${hex.length} characters found`);
  }
  return Uint8Array.fromHex(hex);
}

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Equality that takes the same time wherever the first difference stands (lengths are not hidden). */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] as number) ^ (b[i] as number);
  return difference === 0;
}

export function isZero(bytes: Uint8Array): boolean {
  for (const byte of bytes) if (byte !== 0) return false;
  return true;
}

const utf8Encoder = new TextEncoder();
// A byte order mark is a character like others: decoding loses nothing, so that equal texts have equal bytes.
const utf8Decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** UTF-8 of `text`. Half a surrogate pair, which UTF-8 cannot express, becomes U+FFFD: check `isWellFormed` where it matters. */
export function utf8(text: string): Uint8Array {
  return utf8Encoder.encode(text);
}

/** Text of UTF-8 bytes; throws `TypeError` on bytes that are not UTF-8. */
export function fromUtf8(bytes: Uint8Array): string {
  return utf8Decoder.decode(bytes);
}

/**
 * Reads fixed layouts from untrusted bytes, little-endian unless a method says otherwise. Every read is bounded by
 * the input; what it returns are views, not copies. `what` names the structure in errors.
 */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #what: string;
  #at = 0;

  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#what = what;
  }

  get offset(): number {
    return this.#at;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  #take(length: number, field: string): number {
    if (!Number.isSafeInteger(length) || length < 0) {
      throw new RangeError(`${this.#what}: a length for ${field} expected, ${length} found`);
    }
    if (length > this.remaining) {
      throw new BytesError(
        'BYTES_SHORT',
        `${this.#what}: ${length} bytes expected for ${field} at offset ${this.#at}, ${this.remaining} found`,
      );
    }
    const at = this.#at;
    this.#at += length;
    return at;
  }

  bytes(length: number, field: string): Uint8Array {
    const at = this.#take(length, field);
    return this.#bytes.subarray(at, at + length);
  }

  /** Passes over bytes that say nothing, such as reserved ones. */
  skip(length: number, field: string): void {
    this.#take(length, field);
  }

  u8(field: string): number {
    return this.#view.getUint8(this.#take(1, field));
  }

  u16(field: string): number {
    return this.#view.getUint16(this.#take(2, field), true);
  }

  u32(field: string): number {
    return this.#view.getUint32(this.#take(4, field), true);
  }

  u64(field: string): bigint {
    return this.#view.getBigUint64(this.#take(8, field), true);
  }

  u16be(field: string): number {
    return this.#view.getUint16(this.#take(2, field), false);
  }

  u32be(field: string): number {
    return this.#view.getUint32(this.#take(4, field), false);
  }

  /** Refuses bytes after the last field. */
  end(): void {
    if (this.remaining !== 0) {
      throw new BytesError(
        'BYTES_TRAILING',
        `${this.#what}: end expected at offset ${this.#at}, ${this.remaining} more bytes found`,
      );
    }
  }
}
