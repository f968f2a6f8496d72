import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  ByteReader,
  BytesError,
  concatBytes,
  equalBytes,
  fromHex,
  fromUtf8,
  isZero,
  toHex,
  utf8,
} from './bytes.ts';

/** Any character of Unicode. */
const codePoint = fc
  .integer({ min: 0, max: 0x10_ffff - 0x800 })
  .map((code) => String.fromCodePoint(code < 0xd800 ? code : code + 0x800));

void test('hexadecimal goes both ways, in either case', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      const hex = toHex(bytes);
      assert.match(hex, /^[0-9a-f]*$/);
      assert.deepEqual(fromHex(hex), bytes);
      assert.deepEqual(fromHex(hex.toUpperCase(), bytes.length), bytes);
    }),
  );
});

void test('what is not hexadecimal of the expected length is refused, and never repeated in the error', () => {
  for (const [text, length] of [
    ['0', undefined],
    ['0x00', undefined],
    ['zz', undefined],
    ['00 ', undefined],
    ['00\n', undefined],
    ['٠٠', undefined],
    ['00', 2],
    ['', 1],
  ] as const) {
    assert.throws(() => fromHex(text, length), { name: 'BytesError', code: 'BYTES_HEX' });
  }
  assert.throws(
    () => fromHex('secret', 32),
    (error) => error instanceof BytesError && !error.message.includes('secret'),
  );
});

void test('text goes through UTF-8 unchanged, a byte order mark included', () => {
  fc.assert(fc.property(fc.string({ unit: codePoint }), (text) => assert.equal(fromUtf8(utf8(text)), text)));
  assert.equal(fromUtf8(utf8('\uFEFFa')), '\uFEFFa');
  assert.throws(() => fromUtf8(Uint8Array.of(0xc3)), TypeError);
  assert.throws(() => fromUtf8(Uint8Array.of(0xed, 0xa0, 0x80)), TypeError);
});

void test('byte strings are equal when every byte is', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
      assert.equal(equalBytes(a, b), Buffer.from(a).equals(b));
      assert.equal(equalBytes(a, a.slice()), true);
      assert.equal(
        isZero(a),
        a.every((byte) => byte === 0),
      );
      assert.deepEqual(Buffer.from(concatBytes(a, b)), Buffer.concat([a, b]));
    }),
  );
});

const reads = ['u8', 'u16', 'u32', 'u64', 'u16be', 'u32be', 'bytes'] as const;

void test('whatever is read in whatever order, a reader stays inside its bytes', () => {
  const steps = fc.array(fc.record({ read: fc.constantFrom(...reads), length: fc.nat({ max: 40 }) }), {
    maxLength: 20,
  });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), steps, (bytes, list) => {
      // The reader sees a part of a larger buffer; what surrounds it must never show.
      const around = new Uint8Array(bytes.length + 20).fill(0xee);
      around.set(bytes, 10);
      const reader = new ByteReader(around.subarray(10, 10 + bytes.length), 'test');
      let at = 0;
      for (const { read, length } of list) {
        const size = { u8: 1, u16: 2, u32: 4, u64: 8, u16be: 2, u32be: 4, bytes: length }[read];
        const run = (): unknown => (read === 'bytes' ? reader.bytes(length, 'field') : reader[read]('field'));
        if (size > bytes.length - at) {
          assert.throws(run, { code: 'BYTES_SHORT' });
          assert.equal(reader.offset, at);
          continue;
        }
        const value = run();
        const part = bytes.subarray(at, at + size);
        const number = (order: Uint8Array): bigint => BigInt(`0x0${toHex(order)}`);
        if (read === 'bytes') assert.deepEqual(value, part);
        else if (read.endsWith('be')) assert.equal(BigInt(value as number), number(part));
        else assert.equal(BigInt(value as number | bigint), number(part.toReversed()));
        at += size;
      }
      assert.equal(reader.offset, at);
      assert.equal(reader.remaining, bytes.length - at);
      if (at === bytes.length) reader.end();
      else assert.throws(() => reader.end(), { code: 'BYTES_TRAILING' });
    }),
  );
});

void test('a length that is none is the mistake of the caller', () => {
  const reader = new ByteReader(new Uint8Array(8), 'test');
  reader.u32('first');
  for (const length of [-1, -4, 0.5, Number.NaN, Infinity]) {
    assert.throws(() => reader.bytes(length, 'field'), RangeError);
  }
  assert.equal(reader.offset, 4);
});

void test('errors name structure, field and offset', () => {
  const reader = new ByteReader(Uint8Array.of(1, 2, 3), 'quote');
  reader.u16('version');
  assert.throws(() => reader.u32('signer'), {
    message: 'quote: 4 bytes expected for signer at offset 2, 1 found',
  });
});
