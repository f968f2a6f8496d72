import { createHash } from 'node:crypto';
import {
  closeSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  type BigIntStats,
} from 'node:fs';
import { posix } from 'node:path';
import { MeasurementError } from './image.ts';
import type { ManifestEntry } from './manifest.ts';

/** Remembers file digests by device, inode, size and change times, so that 120 MB are hashed once, not at every start. */
export class DigestCache {
  readonly #digests = new Map<string, string>();
  readonly #limit: number;

  /** `limit`: how many digests are kept; the oldest go first. */
  constructor(limit = 10_000) {
    this.#limit = limit;
  }

  digest(path: string, status: BigIntStats): string {
    const key = [status.dev, status.ino, status.size, status.ctimeNs, status.mtimeNs].join(':');
    const known = this.#digests.get(key);
    if (known !== undefined) return known;
    const digest = hashFile(path);
    if (this.#digests.size >= this.#limit) {
      for (const oldest of this.#digests.keys()) {
        this.#digests.delete(oldest);
        break;
      }
    }
    this.#digests.set(key, digest);
    return digest;
  }
}

function hashFile(path: string): string {
  const hash = createHash('sha256');
  const descriptor = openSync(path, 'r');
  try {
    const buffer = Buffer.allocUnsafe(1024 * 1024);
    for (;;) {
      const length = readSync(descriptor, buffer, 0, buffer.length, null);
      if (length === 0) break;
      hash.update(buffer.subarray(0, length));
    }
  } finally {
    closeSync(descriptor);
  }
  return hash.digest('hex');
}

export interface FolderOptions {
  readonly cache?: DigestCache;
  /** Relative paths whose contents are not looked at: the folder itself counts, what lies below does not. */
  readonly opaque?: ReadonlySet<string>;
  /** Which files and folders count at all; by default every one. */
  readonly include?: (path: string, isDirectory: boolean) => boolean;
}

const maxEntries = 100_000;

/** The manifest of a folder as it stands on disk. Other kinds of files than folders, regular files and links are refused. */
export function readManifest(folder: string, options: FolderOptions = {}): ManifestEntry[] {
  const entries: ManifestEntry[] = [];
  const cache = options.cache ?? new DigestCache();
  const visit = (relative: string): void => {
    for (const name of readdirSync(posix.join(folder, relative))) {
      const path = posix.join(relative, name);
      const full = posix.join(folder, path);
      const status = lstatSync(full, { bigint: true });
      if (options.include && !options.include(path, status.isDirectory())) continue;
      if (entries.length >= maxEntries) {
        throw new MeasurementError(
          'FOLDER_INVALID',
          `${folder}: at most ${maxEntries} files expected, more found`,
        );
      }
      const mode = Number(status.mode & 0o7777n);
      if (status.isDirectory()) {
        entries.push({ path, type: 'directory', mode });
        if (!options.opaque?.has(path)) visit(path);
      } else if (status.isFile()) {
        entries.push({ path, type: 'file', mode, sha256: cache.digest(full, status) });
      } else if (status.isSymbolicLink()) {
        entries.push({ path, type: 'symlink', target: readlinkSync(full) });
      } else {
        throw new MeasurementError(
          'FOLDER_INVALID',
          `${full}: a folder, regular file or link expected, another kind found`,
        );
      }
    }
  };
  visit('');
  return entries;
}
