import {
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  opendirSync,
  readSync,
  renameSync,
  statfsSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { DiskCalls } from './disk-calls.ts';
import { DiskInterrupts } from './disk-interrupts.ts';

/** Bytes that a disk takes as a whole, and that files are written in past the page cache. */
export const blockBytes = 4096;

/**
 * The directory that holds a volume: the attacker's. Every name, length and byte that comes from it is untrusted.
 * Methods throw what `node:fs` throws (`code` ENOENT, ENOSPC, EIO …).
 */
export interface Backing {
  /** Makes a file that did not exist (else EEXIST) and opens it. */
  create(name: string): BackingFile;
  open(name: string): BackingFile;
  /**
   * The names that are there, one after the other: however many, few are in memory at once. Files may be removed meanwhile;
   * whether such a name still comes is not said.
   */
  names(): IteratorObject<string>;
  remove(name: string): void;
  /** Gives a file a name that did not exist (else EEXIST) in the place of the one it has; what is open stays open. */
  rename?(from: string, to: string): void;
  /** Replaces a whole small file, atomically and durably. */
  replace(name: string, bytes: Uint8Array): void;
  /** Makes names that were created durable. */
  syncNames(): void;
  /** Memory for `writeBlocks`; any will do where there is none. */
  blockMemory?(size: number): Uint8Array;
  /** Free and total bytes. */
  space(): { readonly free: number; readonly total: number };
  /** The processor that is told when a disk is done with what was asked of it lately, where it is one. */
  processor?(): number | undefined;
}

export interface BackingFile {
  /** Returns how many bytes were read: fewer than `length` only at the end of the file. */
  read(position: number, into: Uint8Array, at: number, length: number): number;
  write(position: number, from: Uint8Array, at: number, length: number): void;
  /**
   * `write` of whole blocks at once, from `blockMemory`, that `sync` follows: past the page cache where the file system can,
   * which then needs no memory of its own for them.
   */
  writeBlocks?(position: number, from: Uint8Array, at: number, length: number): void;
  /** Has the disk begin with what was written there, if it can. */
  startWriteback?(position: number, length: number): void;
  size(): number;
  /** How many names it has. */
  links(): number;
  sync(): void;
  close(): void;
}

/**
 * What open(2) and write(2) say where a file system knows no O_DIRECT, or wants larger blocks or other memory for it; ENOENT
 * and ENXIO where there is no /proc. Anything else would be said of an ordinary write as well.
 */
const cannotBeDirect = ['EINVAL', 'EOPNOTSUPP', 'ENOENT', 'ENXIO', 'EACCES', 'EPERM'] as const;

/** A directory of the local file system (also of NFS or a persistent volume). */
export class DirectoryBacking implements Backing {
  readonly path: string;
  readonly #readOnly: boolean;
  readonly #calls: DiskCalls | undefined;
  readonly #interrupts: DiskInterrupts;
  /** Whether files can be written past the page cache here. */
  #direct: boolean;

  constructor(path: string, readOnly = false, calls?: DiskCalls) {
    this.path = path;
    this.#readOnly = readOnly;
    this.#calls = calls;
    this.#direct = calls !== undefined;
    this.#interrupts = new DiskInterrupts(path);
  }

  processor(): number | undefined {
    return this.#interrupts.processor();
  }

  #file(fd: number): BackingFile {
    const write = (to: number, position: number, from: Uint8Array, at: number, length: number): void => {
      for (let done = 0; done < length;)
        done += writeSync(to, from, at + done, length - done, position + done);
    };
    /** The same file, open for writes past the page cache. */
    let direct: number | undefined;
    return {
      read: (position, into, at, length) => {
        let done = 0;
        while (done < length) {
          const got = readSync(fd, into, at + done, length - done, position + done);
          if (got === 0) break;
          done += got;
        }
        return done;
      },
      write: (position, from, at, length) => write(fd, position, from, at, length),
      writeBlocks: (position, from, at, length) => {
        try {
          if (this.#direct) {
            direct ??= openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_DIRECT);
            write(direct, position, from, at, length);
            return;
          }
        } catch (error) {
          if (!(cannotBeDirect as readonly unknown[]).includes((error as NodeJS.ErrnoException).code))
            throw error;
          this.#direct = false;
        }
        write(fd, position, from, at, length);
      },
      startWriteback: (position, length) => this.#calls?.startWriteback(fd, position, length),
      size: () => fstatSync(fd).size,
      links: () => fstatSync(fd).nlink,
      sync: () => fdatasyncSync(fd),
      close: () => {
        closeSync(fd);
        if (direct !== undefined) closeSync(direct);
      },
    };
  }

  blockMemory(size: number): Uint8Array {
    return this.#calls?.blockMemory(size) ?? new Uint8Array(size);
  }

  create(name: string): BackingFile {
    const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
    return this.#file(openSync(join(this.path, name), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600));
  }

  open(name: string): BackingFile {
    // O_NONBLOCK: a FIFO that was put in a file's place must not hang the open.
    const { O_RDONLY, O_RDWR, O_NOFOLLOW, O_NONBLOCK } = constants;
    const access = this.#readOnly ? O_RDONLY : O_RDWR;
    return this.#file(openSync(join(this.path, name), access | O_NOFOLLOW | O_NONBLOCK));
  }

  *names(): Generator<string, void> {
    const folder = opendirSync(this.path, { bufferSize: 4096 });
    try {
      for (let entry; (entry = folder.readSync());) yield entry.name;
    } finally {
      folder.closeSync();
    }
  }

  remove(name: string): void {
    unlinkSync(join(this.path, name));
  }

  rename(from: string, to: string): void {
    // rename(2) would take the place of a file that has the name.
    linkSync(join(this.path, from), join(this.path, to));
    this.remove(from);
  }

  replace(name: string, bytes: Uint8Array): void {
    const temporary = `${name}.new`;
    try {
      this.remove(temporary);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    const file = this.create(temporary);
    try {
      file.write(0, bytes, 0, bytes.length);
      file.sync();
    } finally {
      file.close();
    }
    renameSync(join(this.path, temporary), join(this.path, name));
    this.syncNames();
  }

  syncNames(): void {
    const fd = openSync(this.path, constants.O_RDONLY);
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }

  space(): { free: number; total: number } {
    const { bavail, blocks, bsize } = statfsSync(this.path);
    return { free: bavail * bsize, total: blocks * bsize };
  }
}

/** The whole of a file of at most `limit` bytes; a longer one gives `limit` + 1 bytes. */
export function readWhole(backing: Backing, name: string, limit: number): Uint8Array {
  const file = backing.open(name);
  try {
    const bytes = new Uint8Array(limit + 1);
    return bytes.subarray(0, file.read(0, bytes, 0, limit + 1));
  } finally {
    file.close();
  }
}
