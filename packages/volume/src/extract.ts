import {
  chmodSync,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
  closeSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { fileType } from '@ensconce/fuse/protocol';
import { Contents } from './contents.ts';
import { Directories } from './directories.ts';
import type { Inode } from './inode.ts';
import { Inodes, rootInode } from './inodes.ts';
import { targetKey } from './key.ts';
import { cellBytes } from './units.ts';
import type { Volume } from './volume.ts';

export interface ExtractReport {
  readonly files: number;
  readonly bytes: number;
  /** What could not be got out, one line each. */
  readonly problems: readonly string[];
}

export interface ExtractOptions {
  readonly volume: Volume;
  /** An existing directory, which must not be the attacker's to change meanwhile. */
  readonly destination: string;
  readonly progress?: (path: string) => void;
}

/** Names are kept byte by byte, so paths are bytes. */
const slash = Buffer.from('/');
const reason = (error: unknown): string =>
  error instanceof Error ? error.message : 'not an error was thrown';

/**
 * Writes what is intact of a volume to a directory. A part of a file that is damaged is left out as a hole and reported;
 * device nodes, FIFOs and sockets are reported and left out.
 */
export function extractVolume({ volume, destination, progress }: ExtractOptions): ExtractReport {
  const inodes = new Inodes(volume);
  const contents = new Contents(volume, inodes);
  const directories = new Directories(volume);
  const problems: string[] = [];
  const linked = new Map<number, Buffer>();
  const buffer = new Uint8Array(cellBytes);
  let files = 0;
  let bytes = 0;

  const copy = (inode: Inode, path: Buffer, shown: string): void => {
    const fd = openSync(path, 'wx', 0o600);
    try {
      for (let offset = 0; offset < inode.size;) {
        const data = contents.seek(inode, offset, true);
        if (data === undefined) break;
        const start = Math.floor(data / cellBytes) * cellBytes;
        try {
          const length = contents.read(inode, start, cellBytes, buffer, 0);
          writeSync(fd, buffer, 0, length, start);
          bytes += length;
        } catch (error) {
          problems.push(`${shown} at ${start}: ${reason(error)}`);
        }
        offset = start + cellBytes;
      }
    } finally {
      closeSync(fd);
    }
    truncateSync(path, inode.size);
  };
  const finish = (inode: Inode, path: Buffer): void => {
    lchownSync(path, inode.uid, inode.gid);
    if ((inode.mode & fileType.mask) === fileType.symlink) return;
    chmodSync(path, inode.mode & 0o7777);
    utimesSync(path, inode.atime + inode.atimeNanoseconds / 1e9, inode.mtime + inode.mtimeNanoseconds / 1e9);
  };
  const one = (ino: number, path: Buffer, shown: string): void => {
    const inode = inodes.get(ino);
    const type = inode.mode & fileType.mask;
    progress?.(shown);
    files++;
    const first = linked.get(ino);
    if (type === fileType.directory) {
      mkdirSync(path, 0o700);
      directory(ino, path, shown);
    } else if (first !== undefined) {
      linkSync(first, path);
      return;
    } else if (type === fileType.file) copy(inode, path, shown);
    else if (type === fileType.symlink) symlinkSync(Buffer.from(volume.get(targetKey(ino)) ?? []), path);
    else {
      problems.push(`${shown}: neither file, directory nor symbolic link, left out`);
      return;
    }
    if (inode.links > 1 && type !== fileType.directory) linked.set(ino, path);
    finish(inode, path);
  };
  const directory = (ino: number, path: Buffer, shown: string): void => {
    const names: { name: Buffer; ino: number }[] = [];
    try {
      directories.list(ino, 0, (_hash, entries) => {
        for (const entry of entries) names.push({ name: Buffer.from(entry.name), ino: entry.ino });
        return true;
      });
    } catch (error) {
      problems.push(`${shown}/: ${reason(error)}`);
    }
    for (const { name, ino: child } of names) {
      try {
        one(child, Buffer.concat([path, slash, name]), `${shown}/${name.toString('utf8')}`);
      } catch (error) {
        problems.push(`${shown}/${name.toString('utf8')}: ${reason(error)}`);
      }
    }
  };
  directory(rootInode, Buffer.from(destination), '');
  return { files, bytes, problems };
}
