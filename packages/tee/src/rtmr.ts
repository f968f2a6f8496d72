import { toHex } from '@ensconce/base/bytes';
import { TeeError } from './errors.ts';
import { errnoOf, type KernelFiles } from './files.ts';

/** Where Linux (6.16 and later) shows a TD's measurement registers. */
export const measurementsRoot = '/sys/devices/virtual/misc/tdx_guest/measurements';

/** Extends a runtime measurement register (2 or 3) of a TD by a SHA-384 digest: RTMR ← SHA-384(RTMR ‖ digest). */
export function extendRtmr(
  files: KernelFiles,
  index: 2 | 3,
  digest: Uint8Array,
  root = measurementsRoot,
): void {
  if (digest.length !== 48)
    throw new RangeError(`a SHA-384 digest of 48 bytes expected, ${digest.length} found`);
  const path = `${root}/rtmr${index}:sha384`;
  try {
    files.write(path, digest);
  } catch (cause) {
    const absent = errnoOf(cause) === 'ENOENT';
    throw new TeeError(
      absent ? 'TEE_ABSENT' : 'TEE_UNEXPECTED',
      `${path}: an extension of the register expected, ${errnoOf(cause) ?? 'an error'} found`,
      {
        cause,
        ...(absent ? { hint: 'a TD with Linux 6.16 or later is needed' } : {}),
      },
    );
  }
}

/** The 48 bytes of a register. */
export function readRtmr(files: KernelFiles, index: 0 | 1 | 2 | 3, root = measurementsRoot): Uint8Array {
  const path = `${root}/rtmr${index}:sha384`;
  const value = files.read(path);
  if (value.length !== 48)
    throw new TeeError('TEE_UNEXPECTED', `${path}: 48 bytes expected, ${toHex(value).length / 2} found`);
  return value;
}
