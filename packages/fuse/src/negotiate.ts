import { putU64 } from './attributes.ts';
import { FuseError } from './errors.ts';
import type { Wishes } from './filesystem.ts';
import { headerIn, initFlag, initFlag2, largestTransfer, pageSize, version } from './protocol.ts';
import type { Request } from './request.ts';

/** What INIT settled. */
export interface Agreement {
  readonly minor: number;
  readonly writebackCache: boolean;
  /** Whether SETXATTR comes in its longer form. */
  readonly extendedSetxattr: boolean;
  /** Size of the reply that was put. */
  readonly size: number;
  /** False where the kernel speaks another major version and will send INIT again. */
  readonly settled: boolean;
}

// READDIRPLUS always, not READDIRPLUS_AUTO: whoever lists a directory mostly looks at its entries next, and one entry's
// attributes cost far less in a listing than a LOOKUP of their own.
const always =
  initFlag.ASYNC_READ |
  initFlag.BIG_WRITES |
  initFlag.DO_READDIRPLUS |
  initFlag.ASYNC_DIO |
  initFlag.NO_OPEN_SUPPORT |
  initFlag.PARALLEL_DIROPS |
  initFlag.ABORT_ERROR |
  initFlag.MAX_PAGES |
  initFlag.CACHE_SYMLINKS |
  initFlag.NO_OPENDIR_SUPPORT |
  initFlag.SETXATTR_EXT;

/** The first word of flags that a file system with these wishes may set. */
function wanted(wishes: Wishes): number {
  let flags = always;
  if (wishes.writebackCache) flags |= initFlag.WRITEBACK_CACHE;
  if (wishes.handleKillPrivilegesV2) flags |= initFlag.HANDLE_KILLPRIV_V2;
  if (wishes.atomicTruncate) flags |= initFlag.ATOMIC_O_TRUNC;
  flags |= wishes.explicitInvalidation ? initFlag.EXPLICIT_INVAL_DATA : initFlag.AUTO_INVAL_DATA;
  return flags;
}

/**
 * Answers INIT (linux/fuse.h, `struct fuse_init_in` and `fuse_init_out`) into `view` at `at`.
 *
 * @throws FuseError `FUSE_PROTOCOL` where the kernel is older than 7.31
 */
export function negotiate(request: Request, wishes: Wishes, view: DataView, at: number): Agreement {
  const size = 64;
  for (let i = 0; i < size; i += 8) putU64(view, at + i, 0);
  request.need(16);
  const major = request.u32(headerIn);
  const minor = request.u32(headerIn + 4);
  const readahead = request.u32(headerIn + 8);
  const offered = request.u32(headerIn + 12);
  if (major < version.major || (major === version.major && minor < version.oldestMinor))
    throw new FuseError(
      'FUSE_PROTOCOL',
      `FUSE protocol ${version.major}.${version.oldestMinor} or later expected, ${major}.${minor} found`,
      { hint: 'Linux 5.4 or later is needed' },
    );
  view.setUint32(at, version.major, true);
  view.setUint32(at + 4, Math.min(minor, version.minor), true);
  if (major > version.major)
    return { minor, writebackCache: false, extendedSetxattr: false, size, settled: false };
  let flags = wanted(wishes) & offered;
  let flags2 = 0;
  if (offered & initFlag.INIT_EXT && request.end >= headerIn + 20) {
    flags |= initFlag.INIT_EXT;
    flags2 = request.u32(headerIn + 16) & initFlag2.DIRECT_IO_ALLOW_MMAP;
  }
  view.setUint32(at + 8, readahead, true);
  view.setUint32(at + 12, flags, true);
  // Requests that the kernel may have outstanding in the background (readahead, writeback), and when it slows down.
  view.setUint16(at + 16, 64, true);
  view.setUint16(at + 18, 48, true);
  view.setUint32(at + 20, largestTransfer, true);
  view.setUint32(at + 24, wishes.timeGranularity ?? 1, true);
  view.setUint16(at + 28, largestTransfer / pageSize, true);
  view.setUint32(at + 32, flags2, true);
  return {
    minor: Math.min(minor, version.minor),
    writebackCache: (flags & initFlag.WRITEBACK_CACHE) !== 0,
    extendedSetxattr: (flags & initFlag.SETXATTR_EXT) !== 0,
    size,
    settled: true,
  };
}
