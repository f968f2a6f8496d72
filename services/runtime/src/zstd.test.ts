import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { decompressByNode } from '@ensconce/sealed-layer/unit';
import { zstdDecompressor } from './zstd.ts';

void test('it gives what the slow and obvious decompressor gives', () => {
  const fast = zstdDecompressor();
  for (const size of [1, 100, 4096, 131_072]) {
    for (const plain of [Buffer.alloc(size, 'abc'), randomBytes(size)]) {
      const body = zstdCompressSync(plain);
      assert.deepEqual(Buffer.from(fast(body, size)), plain);
      assert.deepEqual(Buffer.from(decompressByNode(body, size)), plain);
    }
  }
});

void test('what is no frame, is cut, or has another length, is refused by both', () => {
  const body = zstdCompressSync(Buffer.alloc(1000, 'x'));
  for (const decompress of [zstdDecompressor(), decompressByNode]) {
    assert.throws(() => check(decompress(body.subarray(0, -3), 1000), 1000));
    assert.throws(() => check(decompress(body, 999), 999));
    assert.throws(() => check(decompress(body, 1001), 1001));
    assert.throws(() => check(decompress(Buffer.alloc(50, 7), 1000), 1000));
  }
});

/** As the reader does with what a decompressor returns. */
function check(plain: Uint8Array, length: number): void {
  if (plain.length !== length) throw new RangeError('another length');
}
