import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { fromUtf8 } from '@ensconce/base/bytes';
import { TeeError } from './errors.ts';

/** The errno name of what `node:fs` threw; undefined for any other value. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('syscall' in error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** The `TeeError` for a failed call on a kernel file; our own errors pass unchanged. */
export function interfaceError(path: string, what: string, cause: unknown, hint?: string): unknown {
  const errno = errnoOf(cause);
  if (errno === undefined) return cause;
  return new TeeError('TEE_INTERFACE', `${path}: ${what} expected, ${errno} found`, { cause, hint });
}

// Kernel files are there or not: nothing is created or truncated, and the last component is no link.
const reading = constants.O_RDONLY | constants.O_NOFOLLOW;
const writing = constants.O_WRONLY | constants.O_NOFOLLOW;

function withDescriptor<Result>(path: string, flags: number, use: (descriptor: number) => Result): Result {
  const descriptor = openSync(path, flags);
  try {
    return use(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** The first bytes of a file, whatever size stat(2) tells. Throws the errors of `node:fs` as they are. */
export function readKernelFileStart(path: string, size: number): Uint8Array {
  const buffer = new Uint8Array(size);
  const length = withDescriptor(path, reading, (descriptor) => {
    let at = 0;
    while (at < size) {
      const got = readSync(descriptor, buffer, at, size - at, null);
      if (got === 0) break;
      at += got;
    }
    return at;
  });
  return buffer.subarray(0, length);
}

/**
 * A whole file of at most `limit` bytes. Throws the errors of `node:fs` as they are.
 *
 * @param hint what to do about a larger one
 * @throws TeeError `TEE_SIZE`
 */
export function readKernelFile(path: string, limit: number, hint?: string): Uint8Array {
  const bytes = readKernelFileStart(path, limit + 1);
  if (bytes.length > limit)
    throw new TeeError('TEE_SIZE', `${path}: at most ${limit} bytes expected, more found`, { hint });
  return bytes;
}

/** Text attributes fit in one page (configfs). */
const longestText = 4096;

/** A text attribute without the line break that the kernel ends it with. */
export function readKernelText(path: string): string {
  const bytes = readKernelFile(path, longestText);
  try {
    return fromUtf8(bytes).replace(/\n$/, '');
  } catch (cause) {
    throw new TeeError('TEE_INTERFACE', `${path}: text expected, other bytes found`, { cause });
  }
}

/**
 * Hands `bytes` over by one write(2), as kernel attributes want it: what is split is two values. (Should a kernel take only
 * a part, Node writes the rest by another, which sysfs refuses and binary attributes of configfs put together again.)
 * Binary attributes of configfs take effect at close(2), which has happened when this returns.
 */
export function writeKernelFile(path: string, bytes: Uint8Array): void {
  withDescriptor(path, writing, (descriptor) => writeSync(descriptor, bytes));
}
