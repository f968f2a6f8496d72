import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { concatBytes, equalBytes, toHex } from '@ensconce/base/bytes';
import { TeeError } from '../errors.ts';
import { interfaceError, readKernelFile, writeKernelFile } from '../kernel-file.ts';
import { digestSize } from '../source.ts';

/** Linux ≥ 6.16 (Documentation/ABI/testing/sysfs-devices-virtual-misc-tdx_guest). */
const registerPath = (root: string, index: number): string =>
  join(root, `/sys/devices/virtual/misc/tdx_guest/measurements/rtmr${index}:sha384`);

const needed =
  'the guest needs Linux 6.16 or later with CONFIG_TDX_GUEST_DRIVER and CONFIG_TSM_MEASUREMENTS, and its sysfs';

function readRegister(path: string): Uint8Array {
  let value: Uint8Array;
  try {
    value = readKernelFile(path, digestSize);
  } catch (cause) {
    throw interfaceError(path, 'a measurement register', cause, needed);
  }
  if (value.length !== digestSize)
    throw new TeeError('TEE_INTERFACE', `${path}: ${digestSize} bytes expected, ${value.length} found`);
  return value;
}

/**
 * Extends RTMR`index` (2 or 3 are software's) by a digest, and reads it back: it must be SHA-384(old ‖ digest) then (Intel
 * TDX module ABI, TDG.MR.RTMR.EXTEND).
 *
 * @throws TeeError `TEE_INTERFACE`, or `TEE_REGISTER` where something else was extended as well or instead
 */
export async function extendRegister(root: string, index: 2 | 3, digest: Uint8Array): Promise<void> {
  if (digest.length !== digestSize)
    throw new RangeError(`digest: ${digestSize} bytes expected, ${digest.length} found`);
  const path = registerPath(root, index);
  const before = readRegister(path);
  try {
    writeKernelFile(path, digest);
  } catch (cause) {
    throw interfaceError(path, 'a register that can be extended', cause, needed);
  }
  const after = readRegister(path);
  const expected = createHash('sha384').update(concatBytes(before, digest)).digest();
  if (!equalBytes(after, expected))
    throw new TeeError('TEE_REGISTER', `RTMR${index}: ${toHex(expected)} expected, ${toHex(after)} found`, {
      hint: 'another process of this guest extended the register at the same time, or the kernel did not extend it: start the guest anew',
    });
}
