import {
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  openSync,
  opendirSync,
  readSync,
  renameSync,
  statfsSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { StartWriteback } from './writeback.ts';

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
  /** Replaces a whole small file, atomically and durably. */
  replace(name: string, bytes: Uint8Array): void;
  /** Makes names that were created durable. */
  syncNames(): void;
  /** Free and total bytes. */
  space(): { readonly free: number; readonly total: number };
}

export interface BackingFile {
  /** Returns how many bytes were read: fewer than `length` only at the end of the file. */
  read(position: number, into: Uint8Array, at: number, length: number): number;
  write(position: number, from: Uint8Array, at: number, length: number): void;
  /** Has the disk begin with what was written there, if it can. */
  startWriteback?(position: number, length: number): void;
  size(): number;
  sync(): void;
  close(): void;
}

/** A directory of the local file system (also of NFS or a persistent volume). */
export class DirectoryBacking implements Backing {
  readonly path: string;
  readonly #readOnly: boolean;
  readonly #startWriteback: StartWriteback | undefined;

  constructor(path: string, readOnly = false, startWriteback?: StartWriteback) {
    this.path = path;
    this.#readOnly = readOnly;
    this.#startWriteback = startWriteback;
  }

  #file(fd: number): BackingFile {
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
      write: (position, from, at, length) => {
        for (let done = 0; done < length;)
          done += writeSync(fd, from, at + done, length - done, position + done);
      },
      startWriteback: (position, length) => this.#startWriteback?.(fd, position, length),
      size: () => fstatSync(fd).size,
      sync: () => fdatasyncSync(fd),
      close: () => closeSync(fd),
    };
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
