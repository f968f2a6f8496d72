import { lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { posix } from 'node:path';
import { fromUtf8 } from '@ensconce/base/bytes';
import { DigestCache } from './digest-cache.ts';
import { MeasurementError } from './image.ts';
import type { ManifestEntry } from './manifest.ts';

export interface FolderOptions {
  readonly cache?: DigestCache;
  /** Relative paths whose contents are not looked at: the folder itself counts, what lies below does not. */
  readonly opaque?: ReadonlySet<string>;
  /** Which files and folders count at all; by default every one. */
  readonly include?: (path: string) => boolean;
}

const maxEntries = 100_000;

/** Names and targets are bytes; two that differ must never become one text. */
function text(bytes: Buffer, where: string): string {
  try {
    return fromUtf8(bytes);
  } catch (cause) {
    throw new MeasurementError(
      'FOLDER_INVALID',
      `${where}: names in UTF-8 expected, ${bytes.toString('latin1')} found`,
      { cause },
    );
  }
}

/** The manifest of a folder as it stands on disk. Other kinds of files than folders, regular files and links are refused. */
export function readManifest(folder: string, options: FolderOptions = {}): ManifestEntry[] {
  const entries: ManifestEntry[] = [];
  const cache = options.cache ?? new DigestCache();
  const visit = (relative: string): void => {
    for (const name of readdirSync(posix.join(folder, relative), { encoding: 'buffer' })) {
      const path = posix.join(relative, text(name, posix.join(folder, relative)));
      const full = posix.join(folder, path);
      if (options.include && !options.include(path)) continue;
      const status = lstatSync(full);
      if (entries.length >= maxEntries) {
        throw new MeasurementError(
          'FOLDER_INVALID',
          `${folder}: at most ${maxEntries} files expected, more found`,
        );
      }
      if (status.isDirectory()) {
        entries.push({ path, type: 'directory', mode: status.mode & 0o7777 });
        if (!options.opaque?.has(path)) visit(path);
      } else if (status.isFile()) {
        entries.push({ path, type: 'file', ...cache.file(full) });
      } else if (status.isSymbolicLink()) {
        entries.push({
          path,
          type: 'symlink',
          target: text(readlinkSync(full, { encoding: 'buffer' }), full),
        });
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
