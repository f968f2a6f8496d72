import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync, type BigIntStats } from 'node:fs';
import { MeasurementError } from './image.ts';

/** A file that changed less than so long ago may change again without its times showing it: they tick every few ms. */
const settledNs = 1_000_000_000n;

/** Identifies contents as well as a file system can; whoever writes to a file changes its ctime. */
function keyOf(status: BigIntStats): string {
  return [status.dev, status.ino, status.size, status.ctimeNs, status.mtimeNs].join(':');
}

function hash(descriptor: number): string {
  const sha256 = createHash('sha256');
  const buffer = Buffer.allocUnsafe(1024 * 1024);
  for (;;) {
    const length = readSync(descriptor, buffer, 0, buffer.length, null);
    if (length === 0) return sha256.digest('hex');
    sha256.update(buffer.subarray(0, length));
  }
}

export interface CachedFile {
  /** SHA-256 of the contents, hex. */
  readonly sha256: string;
  readonly mode: number;
}

/** Remembers file digests by device, inode, size and change times, so that 120 MB are hashed once, not at every start. */
export class DigestCache {
  readonly #digests = new Map<string, string>();
  readonly #limit: number;
  readonly #now: () => bigint;

  /** `limit`: how many digests are kept, the oldest go first; `now`: nanoseconds since the epoch. */
  constructor(limit = 10_000, now: () => bigint = () => BigInt(Date.now()) * 1_000_000n) {
    this.#limit = limit;
    this.#now = now;
  }

  /**
   * The regular file at `path`, which others may change meanwhile: everything is read of one open file. `follow` is for
   * the links of /proc, which lead to files whatever their names.
   *
   * @throws MeasurementError `FOLDER_INVALID` for another kind of file, and for one that changes while it is read
   */
  file(path: string, follow = false): CachedFile {
    const flags = constants.O_RDONLY | constants.O_NONBLOCK | (follow ? 0 : constants.O_NOFOLLOW);
    const descriptor = openSync(path, flags);
    try {
      const status = fstatSync(descriptor, { bigint: true });
      if (!status.isFile())
        throw new MeasurementError('FOLDER_INVALID', `${path}: a regular file expected, another kind found`);
      const mode = Number(status.mode & 0o7777n);
      const key = keyOf(status);
      const known = this.#digests.get(key);
      if (known !== undefined) return { sha256: known, mode };
      const sha256 = hash(descriptor);
      if (keyOf(fstatSync(descriptor, { bigint: true })) !== key)
        throw new MeasurementError(
          'FOLDER_INVALID',
          `${path}: a file at rest expected, it changed meanwhile`,
        );
      if (this.#now() - status.ctimeNs > settledNs) this.#remember(key, sha256);
      return { sha256, mode };
    } finally {
      closeSync(descriptor);
    }
  }

  #remember(key: string, sha256: string): void {
    const oldest = this.#digests.keys().next();
    if (this.#digests.size >= this.#limit && oldest.done !== true) this.#digests.delete(oldest.value);
    this.#digests.set(key, sha256);
  }
}
