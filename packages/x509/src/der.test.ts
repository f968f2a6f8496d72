import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { DerReader, rawEcdsaSignature, tags } from './der.ts';
import { oidFromContent } from './oid.ts';
import { X509Error } from './errors.ts';

const read = (hex: string): unknown => {
  const reader = new DerReader(Uint8Array.fromHex(hex), 'test');
  const element = reader.next();
  reader.end();
  return element.content.toHex();
};

void test('only the one encoding that DER allows is read', () => {
  assert.equal(read('0403010203'), '010203');
  assert.equal(read(`048180${'00'.repeat(128)}`), '00'.repeat(128));
  for (const hex of [
    '',
    '04',
    '0402ff',
    '0480ff0000',
    '04810101',
    `04820080${'00'.repeat(128)}`,
    '0484ffffffff',
    '048500000000010',
    '1f0100',
    '040100ff',
  ].filter((one) => one.length % 2 === 0))
    assert.throws(() => read(hex), X509Error, hex);
});

void test('integers, booleans and bit strings have one form each', () => {
  const integer = (hex: string): number => new DerReader(Uint8Array.fromHex(hex), 'test').smallInteger();
  assert.equal(integer('02017f'), 127);
  assert.equal(integer('02020080'), 128);
  for (const hex of ['0200', '02020001', '0201ff', '02050100000000'])
    assert.throws(() => integer(hex), X509Error, hex);
  const boolean = (hex: string): boolean => new DerReader(Uint8Array.fromHex(hex), 'test').boolean();
  assert.equal(boolean('0101ff'), true);
  assert.throws(() => boolean('010101'), X509Error);
  assert.throws(() => new DerReader(Uint8Array.fromHex('03020700'), 'test').bitString(), X509Error);
});

void test('an ECDSA signature has the width of its curve, whatever its integers', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 64, maxLength: 64 }), (raw) => {
      const integer = (bytes: Uint8Array): number[] => {
        let at = 0;
        while (at < bytes.length - 1 && bytes[at] === 0) at++;
        const rest = [...bytes.subarray(at)];
        if ((rest[0] ?? 0) & 0x80) rest.unshift(0);
        return [tags.integer, rest.length, ...rest];
      };
      const body = [...integer(raw.subarray(0, 32)), ...integer(raw.subarray(32))];
      assert.deepEqual(rawEcdsaSignature(Uint8Array.of(tags.sequence, body.length, ...body), 32), raw);
    }),
  );
  for (const hex of ['300602010102017fff', '30060201ff020101', '3003020101', '30080203010000020101'])
    assert.throws(() => rawEcdsaSignature(Uint8Array.fromHex(hex), 2), X509Error, hex);
});

void test('object identifiers are written out, and overlong ones refused', () => {
  assert.equal(oidFromContent(Uint8Array.fromHex('2a864886f84d010d01')), '1.2.840.113741.1.13.1');
  assert.equal(oidFromContent(Uint8Array.fromHex('550413')), '2.5.4.19');
  for (const hex of ['', '80', '2a80', '2a8001', `2a${'ff'.repeat(10)}7f`])
    assert.throws(() => oidFromContent(Uint8Array.fromHex(hex)), X509Error, hex);
});
