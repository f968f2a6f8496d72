import { Buffer } from 'node:buffer';
import type { EntryAttributes, LayerEntry } from '@ensconce/sealed-layer/entry';
import { ByteSource } from './byte-source.ts';
import { blockSize, brokenTar, parseTarHeader, type TarHeader } from './tar-header.ts';
import { parsePax, paxInteger, paxTime, type PaxRecords } from './tar-pax.ts';
import { checkSparse, oldGnuSparse, paxSparse, paxSparseBody, type SparseMap } from './tar-sparse.ts';

const maxExtension = 4 * 1_048_576;
const xattrPrefix = 'SCHILY.xattr.';

const kinds: ReadonlyMap<
  string,
  'file' | 'hardlink' | 'symlink' | 'character' | 'block' | 'directory' | 'fifo'
> = new Map([
  ['0', 'file'],
  ['\0', 'file'],
  ['7', 'file'],
  ['S', 'file'],
  ['1', 'hardlink'],
  ['2', 'symlink'],
  ['3', 'character'],
  ['4', 'block'],
  ['5', 'directory'],
  ['6', 'fifo'],
]);

/** What extended headers before an entry say about it. */
interface Extensions {
  name?: Uint8Array;
  link?: Uint8Array;
  pax: PaxRecords;
}

export interface TarEntry {
  readonly entry: LayerEntry;
  /** Where set, the body holds only these pieces. */
  readonly sparse: SparseMap | undefined;
}

/**
 * Reads the entries of an untrusted tar archive in the forms that image builders write: v7, ustar, GNU (long names,
 * sparse files, base-256 numbers) and PAX (paths, times, extended attributes, sparse 0.0, 0.1 and 1.0). Names and
 * attribute values are bytes. Global PAX headers are skipped, as container engines do.
 */
export class TarReader {
  readonly #source: ByteSource;
  #body = 0;
  #padding = 0;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = new ByteSource(source);
  }

  /** The next entry; `undefined` at the end of the archive. Skips what was not read of the last body. */
  async next(): Promise<TarEntry | undefined> {
    const extensions: Extensions = { pax: [] };
    for (;;) {
      await this.#skip(this.#body + this.#padding);
      this.#body = 0;
      this.#padding = 0;
      const block = await this.#source.exactly(blockSize);
      if (block === undefined) return undefined;
      const header = parseTarHeader(block);
      if (header === undefined) return undefined;
      if (header.size < 0) throw brokenTar(`a size of 0 or more expected, ${header.size} found`);
      switch (header.type) {
        case 'x':
        case 'X':
          extensions.pax = parsePax(await this.#extension(header));
          break;
        case 'g':
          await this.#extension(header);
          break;
        case 'L':
          extensions.name = untilNul(await this.#extension(header));
          break;
        case 'K':
          extensions.link = untilNul(await this.#extension(header));
          break;
        default:
          return this.#entry(header, extensions, header.type === 'S' ? block.slice() : undefined);
      }
    }
  }

  async #extension(header: TarHeader): Promise<Uint8Array> {
    if (header.size > maxExtension)
      throw brokenTar(`an extended header of at most ${maxExtension} bytes expected, ${header.size} found`);
    const bytes = await this.#source.exactly(header.size);
    if (bytes === undefined) throw brokenTar('an extended header expected, the end of the archive found');
    this.#padding = paddingOf(header.size);
    return bytes.slice();
  }

  async #entry(
    header: TarHeader,
    extensions: Extensions,
    oldSparse: Uint8Array | undefined,
  ): Promise<TarEntry> {
    let { name, link, size, uid, gid } = {
      ...header,
      ...(extensions.name && { name: extensions.name }),
      ...(extensions.link && { link: extensions.link }),
    };
    let time = { seconds: header.mtime, nanoseconds: 0 };
    let sparseVersion: string | undefined;
    let realSize: number | undefined;
    const xattrs = new Map<string, Uint8Array>();
    for (const [key, value] of extensions.pax) {
      if (key === 'path') name = value;
      else if (key === 'linkpath') link = value;
      else if (key === 'size') size = paxInteger(value, key);
      else if (key === 'uid') uid = paxInteger(value, key);
      else if (key === 'gid') gid = paxInteger(value, key);
      else if (key === 'mtime') time = paxTime(value);
      else if (key === 'GNU.sparse.major') sparseVersion = Buffer.from(value).toString('latin1');
      else if (key === 'GNU.sparse.realsize') realSize = paxInteger(value, key);
      else if (key.startsWith(xattrPrefix)) xattrs.set(key.slice(xattrPrefix.length), value);
    }
    const sparseName = extensions.pax.findLast(([key]) => key === 'GNU.sparse.name')?.[1];
    if (sparseName !== undefined) name = sparseName;
    if (name.includes(0) || link.includes(0))
      throw brokenTar('a path without NUL expected, one with NUL found');

    let kind = kinds.get(header.type);
    if (kind === undefined) {
      throw brokenTar(
        `${JSON.stringify(Buffer.from(name).toString('utf8').slice(0, 200))}: a known entry type expected, ${JSON.stringify(header.type)} found`,
      );
    }
    // Version 7 archives mark directories by the slash alone.
    if (kind === 'file' && name.at(-1) === 0x2f) kind = 'directory';
    if (!isId(uid) || !isId(gid))
      throw brokenTar(`owner and group below 2³² expected, ${uid} and ${gid} found`);

    this.#body = kind === 'file' ? size : 0;
    this.#padding = paddingOf(this.#body);
    let sparse: SparseMap | undefined;
    if (kind === 'file') {
      if (oldSparse !== undefined) sparse = await oldGnuSparse(oldSparse, this.#source);
      else if (sparseVersion === '1' && realSize !== undefined) {
        const { map, taken } = await paxSparseBody(this.#source, realSize, this.#body);
        this.#body -= taken;
        sparse = map;
      } else sparse = paxSparse(extensions.pax);
      if (sparse !== undefined) checkSparse(sparse, this.#body);
    }
    const attributes: EntryAttributes = {
      mode: header.mode & 0o7777,
      uid,
      gid,
      mtimeSeconds: time.seconds,
      mtimeNanoseconds: time.nanoseconds,
      xattrs: [...xattrs].map(([key, value]) => ({ name: Buffer.from(key, 'latin1'), value })),
    };
    return { entry: asEntry(kind, name, link, attributes, header), sparse };
  }

  /** The next piece of the body; `undefined` at its end. A view that is valid until the next call. */
  async read(limit: number = Number.MAX_SAFE_INTEGER): Promise<Uint8Array | undefined> {
    const wanted = Math.min(limit, this.#body);
    if (wanted === 0) return undefined;
    let part = this.#source.ready(wanted);
    if (part.length === 0) {
      const awaited = await this.#source.some(wanted);
      if (awaited === undefined)
        throw brokenTar(`${this.#body} more bytes of a file expected, the end of the archive found`);
      part = awaited;
    }
    this.#body -= part.length;
    return part;
  }

  async #skip(length: number): Promise<void> {
    for (let left = length; left > 0;) {
      const part = await this.#source.some(left);
      if (part === undefined)
        throw brokenTar(`${left} more bytes of an entry expected, the end of the archive found`);
      left -= part.length;
    }
  }

  /** Reads what follows the archive, so that the source reaches its end and its own checks. */
  async drain(): Promise<void> {
    await this.#source.close(true);
  }

  /** Gives the source up. */
  async close(): Promise<void> {
    await this.#source.close(false);
  }
}

function untilNul(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

const paddingOf = (size: number) => (blockSize - (size % blockSize)) % blockSize;
const isId = (id: number) => id >= 0 && id <= 0xffff_ffff;

function asEntry(
  kind: NonNullable<ReturnType<(typeof kinds)['get']>>,
  path: Uint8Array,
  target: Uint8Array,
  attributes: EntryAttributes,
  { major, minor }: TarHeader,
): LayerEntry {
  switch (kind) {
    case 'hardlink':
      return { kind, path, target };
    case 'symlink':
      return { kind, path, target, ...attributes };
    case 'character':
    case 'block':
      if (!isId(major) || !isId(minor))
        throw brokenTar(`device numbers below 2³² expected, ${major} and ${minor} found`);
      return { kind, path, major, minor, ...attributes };
    default:
      return { kind, path, ...attributes };
  }
}
