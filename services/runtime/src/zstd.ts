import { loadKoffi } from '@ensconce/fuse/native';
import type { Decompress } from '@ensconce/sealed-layer/reader';

/**
 * Decompression by the zstd that Node itself carries, with one context for all units: half the time of Node's own zlib
 * module, which makes one for each.
 */
export function zstdDecompressor(): Decompress {
  const node = loadKoffi().load(null);
  const create = node.func('void *ZSTD_createDCtx(void)');
  const decompress = node.func(
    'size_t ZSTD_decompressDCtx(void *context, void *to, size_t capacity, const void *from, size_t size)',
  );
  const context: unknown = create();
  return (body, plainLength) => {
    const plain = Buffer.allocUnsafeSlow(plainLength);
    // An error is a number near 2^64, so it never is the length.
    const length = Number(decompress(context, plain, plainLength, body, body.length));
    if (length !== plainLength) throw new RangeError(`zstd: ${plainLength} bytes expected, ${length} found`);
    return plain;
  };
}
