import { Buffer } from 'node:buffer';
import { createHash, randomBytes, type Hash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, type FileHandle } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { sha256Digest } from './digest.ts';
import { ImageError } from './errors.ts';
import { blobPath } from './layout.ts';

/** A blob that is in the destination. */
export interface WrittenBlob {
  readonly digest: string;
  readonly size: number;
}

/** Says of a failed write what a user can do about it. */
function outputError(path: string, cause: unknown): ImageError {
  const code = (cause as NodeJS.ErrnoException).code ?? 'an error';
  const hints: Readonly<Record<string, string>> = {
    ENOSPC: 'the disk is full; free some space, or choose another destination',
    EDQUOT: 'the quota is used up; free some space, or choose another destination',
    EACCES: 'choose a destination that you may write to',
    EROFS: 'choose a destination that can be written to',
  };
  return new ImageError('IMAGE_OUTPUT', `image: ${path} cannot be written: ${code}`, {
    cause,
    hint: hints[code],
  });
}

async function output<T>(path: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    throw outputError(path, cause);
  }
}

/** Hashes a whole open file; returns its length. Reads the next part while it hashes one. */
export async function hashFile(file: FileHandle, hash: Hash): Promise<number> {
  const parts = [Buffer.allocUnsafeSlow(1_048_576), Buffer.allocUnsafeSlow(1_048_576)] as const;
  let position = 0;
  let next = file.read(parts[0], 0, parts[0].length, 0);
  for (let turn = 0; ; turn ^= 1) {
    const { bytesRead, buffer } = await next;
    if (bytesRead === 0) return position;
    position += bytesRead;
    const other = turn === 0 ? parts[1] : parts[0];
    next = file.read(other, 0, other.length, position);
    hash.update(buffer.subarray(0, bytesRead));
  }
}

/** A blob in the making, under a temporary name. */
export class NewBlob {
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #directory: string;

  constructor(file: FileHandle, path: string, directory: string) {
    this.#file = file;
    this.#path = path;
    this.#directory = directory;
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    let done = 0;
    while (done < bytes.length) {
      const { bytesWritten } = await output(
        this.#path,
        this.#file.write(bytes, done, bytes.length - done, position + done),
      );
      done += bytesWritten;
    }
  }

  /** Flushes the blob and gives it the name of its digest, unless `check` throws. */
  async commit(check: (blob: WrittenBlob) => void = () => {}): Promise<WrittenBlob> {
    const hash = createHash('sha256');
    const size = await output(this.#path, hashFile(this.#file, hash));
    const digest = `sha256:${hash.digest('hex')}`;
    check({ digest, size });
    await output(this.#path, this.#file.datasync());
    await this.#file.close();
    const path = blobPath(this.#directory, digest);
    await output(path, rename(this.#path, path));
    return { digest, size };
  }

  async discard(): Promise<void> {
    await this.#file.close();
    await rm(this.#path, { force: true });
  }
}

/** Folders of transforms under way name the machine and the process, so that those of killed ones can be told and removed. */
const scratchPrefix = `.making-${encodeURIComponent(hostname())}-`;

function isAbandoned(name: string): boolean {
  const owner = name.startsWith(scratchPrefix)
    ? /^(\d+)-/.exec(name.slice(scratchPrefix.length))?.[1]
    : undefined;
  if (owner === undefined) return false;
  try {
    process.kill(Number(owner), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

/**
 * The layout that is written to. Blobs are complete once they have their name; the image exists once `index.json`
 * names it, which is written last.
 */
export class Destination {
  readonly directory: string;
  readonly #scratch: string;
  #count = 0;

  private constructor(directory: string, scratch: string) {
    this.directory = directory;
    this.#scratch = scratch;
  }

  /** Opens a layout or makes one; a folder with anything else in it is left alone. */
  static async open(directory: string): Promise<Destination> {
    await output(directory, mkdir(directory, { recursive: true }));
    const names = await output(directory, readdir(directory));
    if (
      names.length > 0 &&
      !names.includes('oci-layout') &&
      !names.every((name) => name === 'blobs' || name.startsWith('.making-'))
    ) {
      throw new ImageError(
        'IMAGE_OUTPUT',
        `image: an OCI image layout or an empty folder expected at ${directory}, other files found`,
        {
          hint: 'choose another destination',
        },
      );
    }
    await Promise.all(
      names.filter(isAbandoned).map((name) => rm(join(directory, name), { recursive: true, force: true })),
    );
    const scratch = join(directory, `${scratchPrefix}${process.pid}-${randomBytes(6).toString('hex')}`);
    await output(directory, mkdir(join(directory, 'blobs', 'sha256'), { recursive: true }));
    await output(scratch, mkdir(scratch));
    const destination = new Destination(directory, scratch);
    if (!names.includes('oci-layout'))
      await destination.#replace('oci-layout', Buffer.from('{"imageLayoutVersion":"1.0.0"}'));
    return destination;
  }

  async newBlob(): Promise<NewBlob> {
    const path = join(this.#scratch, `${this.#count++}`);
    return new NewBlob(await output(path, open(path, 'w+', 0o644)), path, this.directory);
  }

  async writeBlob(bytes: Uint8Array): Promise<WrittenBlob> {
    const digest = sha256Digest(bytes);
    try {
      const existing = await readFile(blobPath(this.directory, digest));
      if (sha256Digest(existing) === digest) return { digest, size: bytes.length };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw outputError(this.directory, error);
    }
    const blob = await this.newBlob();
    await blob.write(bytes, 0);
    return blob.commit();
  }

  /** Whether a blob with this digest is there and intact. */
  async has(blob: WrittenBlob): Promise<boolean> {
    let file: FileHandle;
    try {
      file = await open(blobPath(this.directory, blob.digest), 'r');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
      throw outputError(this.directory, error);
    }
    try {
      const hash = createHash('sha256');
      if ((await file.stat()).size !== blob.size) return false;
      await hashFile(file, hash);
      return `sha256:${hash.digest('hex')}` === blob.digest;
    } finally {
      await file.close();
    }
  }

  async #replace(name: string, bytes: Uint8Array): Promise<void> {
    const path = join(this.#scratch, name);
    const file = await output(path, open(path, 'w', 0o644));
    try {
      await output(path, file.writeFile(bytes));
      await output(path, file.datasync());
    } finally {
      await file.close();
    }
    await output(join(this.directory, name), rename(path, join(this.directory, name)));
  }

  /** Makes the image visible. */
  async writeIndex(bytes: Uint8Array): Promise<void> {
    await this.#replace('index.json', bytes);
  }

  /** Removes what is unfinished. */
  async close(): Promise<void> {
    await rm(this.#scratch, { recursive: true, force: true });
  }
}
