import { fromHex, toHex } from '@ensconce/base/bytes';
import { X509Error } from './errors.ts';
import { oidFromContent } from './oid.ts';

export const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  printableString: 0x13,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

interface Span {
  readonly tag: number;
  readonly begin: number;
  readonly start: number;
  readonly end: number;
}

export interface DerElement {
  readonly tag: number;
  readonly content: Uint8Array;
  /** Tag, length and content: what a signature covers. */
  readonly whole: Uint8Array;
}

/**
 * Reads DER (X.690) element by element from untrusted bytes. Only definite, shortest lengths and single-byte tags; every element
 * lies within its parent, and depth is that of the calling code, never of the input. Values are views of the input.
 */
export class DerReader {
  readonly #bytes: Uint8Array;
  readonly #what: string;
  #at = 0;

  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#what = what;
  }

  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  #fail(expected: string, found: string): never {
    throw new X509Error(
      'X509_DER',
      `${this.#what}: ${expected} expected at offset ${this.#at}, ${found} found`,
    );
  }

  /** The tag of the next element without reading it; undefined at the end. */
  peek(): number | undefined {
    return this.#bytes[this.#at];
  }

  #length(): { readonly header: number; readonly length: number } {
    const left = this.#bytes.length - this.#at;
    const first = this.#bytes[this.#at + 1];
    if (left < 2 || first === undefined) this.#fail('an element', `${left} bytes`);
    if (first < 0x80) return { header: 2, length: first };
    const count = first & 0x7f;
    if (count === 0 || count > 4 || left < 2 + count)
      this.#fail('a definite length', 'another form of length');
    let length = 0;
    for (let i = 0; i < count; i++) length = length * 256 + (this.#bytes[this.#at + 2 + i] as number);
    if (length < 0x80 || length < 2 ** (8 * (count - 1)))
      this.#fail('the shortest form of length', 'a longer one');
    return { header: 2 + count, length };
  }

  /** Where the next element, its content and what follows begin; it counts as read. */
  #pass(tag: number | undefined, name: string): Span {
    const found = this.#bytes[this.#at];
    if (found === undefined) this.#fail(name, 'the end');
    if (tag !== undefined && found !== tag)
      this.#fail(`${name} (tag 0x${tag.toString(16)})`, `tag 0x${found.toString(16)}`);
    if ((found & 0x1f) === 0x1f) this.#fail(`${name} with a one-byte tag`, 'a longer tag');
    const { header, length } = this.#length();
    const begin = this.#at;
    const start = begin + header;
    const end = start + length;
    if (end > this.#bytes.length)
      this.#fail(`${name} within ${this.#bytes.length} bytes`, `an end at ${end}`);
    this.#at = end;
    return { tag: found, begin, start, end };
  }

  next(tag?: number, name = 'element'): DerElement {
    const { tag: found, begin, start, end } = this.#pass(tag, name);
    return {
      tag: found,
      content: this.#bytes.subarray(start, end),
      whole: this.#bytes.subarray(begin, end),
    };
  }

  /** Passes over the next element as {@link next} reads it. */
  skip(tag?: number, name = 'element'): void {
    this.#pass(tag, name);
  }

  /** The next element where it has `tag`, else undefined and nothing is read. */
  optional(tag: number): DerElement | undefined {
    return this.peek() === tag ? this.next(tag) : undefined;
  }

  sequence(name = 'SEQUENCE'): DerReader {
    return new DerReader(this.next(tags.sequence, name).content, `${this.#what}: ${name}`);
  }

  set(name = 'SET'): DerReader {
    return new DerReader(this.next(tags.set, name).content, `${this.#what}: ${name}`);
  }

  oid(name = 'OBJECT IDENTIFIER'): string {
    return oidFromContent(this.next(tags.oid, name).content);
  }

  boolean(name = 'BOOLEAN'): boolean {
    const { content } = this.next(tags.boolean, name);
    if (content.length !== 1 || (content[0] !== 0 && content[0] !== 0xff))
      this.#fail(`${name} 00 or ff`, toHex(content));
    return content[0] === 0xff;
  }

  /** A non-negative INTEGER below 2³¹. */
  smallInteger(name = 'INTEGER', tag: number = tags.integer): number {
    const content = checkInteger(this.next(tag, name).content, this.#what);
    if (content.length > 4 || (content[0] as number) & 0x80)
      this.#fail(`${name} from 0 to 2³¹ − 1`, toHex(content));
    return content.reduce((value, byte) => value * 256 + byte, 0);
  }

  octetString(name = 'OCTET STRING', length?: number): Uint8Array {
    const { content } = this.next(tags.octetString, name);
    if (length !== undefined && content.length !== length)
      this.#fail(`${name} of ${length} bytes`, `${content.length}`);
    return content;
  }

  /** A BIT STRING of whole bytes. */
  bitString(name = 'BIT STRING'): Uint8Array {
    const { content } = this.next(tags.bitString, name);
    if (content.length < 1 || content[0] !== 0) this.#fail(`${name} of whole bytes`, 'unused bits');
    return content.subarray(1);
  }

  end(): void {
    if (!this.done) this.#fail('the end', `${this.#bytes.length - this.#at} more bytes`);
  }
}

/** Checks the shortest form of an INTEGER (X.690 §8.3.2) and gives its content back. */
function checkInteger(content: Uint8Array, what: string): Uint8Array {
  const [first, second] = content;
  if (first === undefined)
    throw new X509Error('X509_DER', `${what}: an INTEGER expected, an empty one found`);
  if (second !== undefined && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80)))
    throw new X509Error('X509_DER', `${what}: the shortest INTEGER expected, a longer form found`);
  return content;
}

/** The magnitude of a non-negative INTEGER as lower-case hexadecimal without the sign byte: the form of serial numbers here. */
export function integerHex(content: Uint8Array, what: string): string {
  checkInteger(content, what);
  return toHex(content[0] === 0 && content.length > 1 ? content.subarray(1) : content);
}

/** ECDSA-Sig-Value (RFC 3279 §2.2.3) as r‖s, each `width` bytes. */
export function rawEcdsaSignature(der: Uint8Array, width: number): Uint8Array {
  const outer = new DerReader(der, 'ECDSA signature');
  const body = outer.sequence();
  outer.end();
  const raw = new Uint8Array(2 * width);
  for (const [name, end] of [
    ['r', width],
    ['s', 2 * width],
  ] as const) {
    const content = body.next(tags.integer, name).content;
    if ((content[0] as number) & 0x80)
      throw new X509Error('X509_DER', `ECDSA signature: a positive ${name} expected, a negative one found`);
    const magnitude = fromHex(integerHex(content, 'ECDSA signature'));
    if (magnitude.length > width)
      throw new X509Error(
        'X509_DER',
        `ECDSA signature: ${name} of ${width} bytes expected, ${magnitude.length} found`,
      );
    raw.set(magnitude, end - magnitude.length);
  }
  body.end();
  return raw;
}
