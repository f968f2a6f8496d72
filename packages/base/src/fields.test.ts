import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { concatBytes, fromUtf8, toHex, utf8 } from './bytes.ts';
import { encodeFields } from './fields.ts';

/** Any character of Unicode. */
const codePoint = fc
  .integer({ min: 0, max: 0x10_ffff - 0x800 })
  .map((code) => String.fromCodePoint(code < 0xd800 ? code : code + 0x800));

void test('a label and two fields, byte by byte', () => {
  assert.equal(
    toHex(encodeFields('ab', [Uint8Array.of(1, 2, 3), new Uint8Array(0)])),
    ['00000002', '6162', '00000003', '010203', '00000000'].join(''),
  );
});

/** Reads the encoding back: that this is possible is what makes it injective. */
function decode(bytes: Uint8Array): Uint8Array[] {
  const fields: Uint8Array[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (at < bytes.length) {
    const length = view.getUint32(at, false);
    fields.push(bytes.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return fields;
}

void test('every list of fields can be read back, so no two have the same encoding', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: codePoint }),
      fc.array(fc.uint8Array({ maxLength: 20 })),
      (label, fields) => {
        const [first, ...rest] = decode(encodeFields(label, fields));
        assert.equal(fromUtf8(first as Uint8Array), label);
        assert.deepEqual(rest, fields);
      },
    ),
  );
});

void test('moving a byte from one field to the next changes the encoding', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 10 }), fc.uint8Array({ maxLength: 10 }), (a, b) => {
      const moved = [a.subarray(0, -1), concatBytes(a.subarray(-1), b)];
      assert.notDeepEqual(encodeFields('x', [a, b]), encodeFields('x', moved));
      assert.notDeepEqual(encodeFields('x', [a, b]), encodeFields('x', [concatBytes(a, b)]));
      assert.notDeepEqual(encodeFields('x', [utf8('y')]), encodeFields('xy', []));
    }),
  );
});
