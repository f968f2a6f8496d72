import { fstatSync, readSync } from 'node:fs';
import { timingSafeEqual } from 'node:crypto';
import { createCaches, type SealedCaches } from './caches.ts';
import { SealedLayerError } from './errors.ts';
import {
  chunkSize,
  decodeUnitRecord,
  entrySize,
  extentSize,
  headerSize,
  inodeFlag,
  inodeSize,
  kindCode,
  maxNameLength,
  maxPages,
  maxTargetLength,
  maxXattrBytes,
  noInode,
  parseHeader,
  pageSize,
  parseSummary,
  rootOf,
  summarySize,
  unitRecordSize,
  viewOf,
  whiteoutCode,
  type Regions,
  type Summary,
  type UnitRecord,
} from './format.ts';
import { IndexPages } from './index-pages.ts';
import { keyCommitment, layerKeys } from './keys.ts';
import type { Attributes, NodeKind } from './tree.ts';
import type { Decompress } from './unit.ts';
import { readExactly, Units, type ReadAt } from './units.ts';

export type { ReadAt } from './units.ts';
export type { Decompress } from './unit.ts';

/** Reads at positions of an open file. The descriptor stays the caller's. */
export function readAtDescriptor(descriptor: number): ReadAt {
  return (into, position) => readSync(descriptor, into, 0, into.length, position);
}

export interface OpenOptions {
  /** Names the layer in errors. */
  readonly name: string;
  readonly readAt: ReadAt;
  /** Length of the file in bytes, as the host says. */
  readonly size: number;
  /** 32 bytes. */
  readonly key: Uint8Array;
  /** Hex; the root that the policy and the image description name. */
  readonly root: string;
  /** Shared by the layers of one image. */
  readonly caches?: SealedCaches;
  /** By Node's zlib unless given. */
  readonly decompress?: Decompress;
}

const kinds = new Map<number, NodeKind>(
  Object.entries(kindCode).map(([kind, code]) => [code, kind as NodeKind]),
);

/** An entry of a directory in one layer; `inode` is `undefined` for a whiteout. */
export interface SealedEntry {
  readonly inode: number | undefined;
  readonly kind: NodeKind | undefined;
}

/** The numbers of an unsealed layer file that a cache of layers compares before it opens anything. */
export function peekHeader(header: Uint8Array): {
  keyCommitment: Uint8Array;
  fileSize: number;
  root: string;
} {
  const { keyCommitment, fileSize } = parseHeader(header, 'sealed layer');
  return { keyCommitment, fileSize, root: rootOf(header) };
}

/**
 * One sealed layer, open for reading. Everything is read on demand and authenticated when it is read; a wrong byte
 * is a {@link SealedLayerError}, never other data. Inode 0 is the root.
 */
export class SealedLayer {
  readonly name: string;
  readonly #units: Units;
  readonly #pages: IndexPages;
  readonly #summary: Summary;
  readonly #regions: Regions;
  readonly #caches: SealedCaches;
  readonly #prefix: number;

  private constructor(options: OpenOptions) {
    const { name, readAt, size, key, root } = options;
    this.name = `sealed layer ${name}`;
    if (size < headerSize) {
      throw new SealedLayerError(
        'SEALED_READ',
        `${this.name}: at least ${headerSize} bytes expected, ${size} found`,
      );
    }
    const headerBytes = new Uint8Array(headerSize);
    readExactly(readAt, headerBytes, 0, this.name);
    const header = parseHeader(headerBytes, this.name);
    const found = rootOf(headerBytes);
    if (found !== root) {
      throw new SealedLayerError('SEALED_ROOT', `${this.name}: root ${root} expected, ${found} found`, {
        hint: 'the layer is not the one that the policy names; upload the policy that was made with this image',
      });
    }
    if (!timingSafeEqual(header.keyCommitment, keyCommitment(key))) {
      throw new SealedLayerError(
        'SEALED_KEY',
        `${this.name}: the key that the layer was sealed with expected, another found`,
        {
          hint: 'the policy holds the key of another layer',
        },
      );
    }
    if (header.fileSize !== size) {
      throw new SealedLayerError(
        'SEALED_READ',
        `${this.name}: ${header.fileSize} bytes expected, ${size} found`,
        {
          hint: 'the sealed layer is truncated or has bytes appended; pull the image again',
        },
      );
    }
    if (
      header.tableLength < summarySize + unitRecordSize ||
      header.tableLength > summarySize + maxPages * unitRecordSize
    )
      throw new SealedLayerError(
        'SEALED_STRUCTURE',
        `${this.name}: a table of 1 to ${maxPages} pages expected`,
      );
    this.#units = new Units(this.name, layerKeys(key), readAt, size, options.decompress);
    const table = this.#units.open('table', 0, header.table, header.tableLength);
    const { summary, regions } = parseSummary(table, this.name);
    this.#summary = summary;
    this.#regions = regions;
    this.#caches = options.caches ?? createCaches();
    this.#prefix = this.#caches.nextReader() * 0x1_0000_0000;
    this.#pages = new IndexPages(this.#units, table, regions.end, this.#caches, this.#prefix);
  }

  /** Verifies header, root, key and table; throws a {@link SealedLayerError} that says which of them is wrong. */
  static open(options: OpenOptions): SealedLayer {
    return new SealedLayer(options);
  }

  /** {@link SealedLayer.open} on a file descriptor, which must stay open as long as the layer is used. */
  static openDescriptor(descriptor: number, options: Omit<OpenOptions, 'readAt' | 'size'>): SealedLayer {
    return new SealedLayer({
      ...options,
      readAt: readAtDescriptor(descriptor),
      size: fstatSync(descriptor).size,
    });
  }

  get nodeCount(): number {
    return this.#summary.nodes;
  }

  /** Sum of the sizes of all files. */
  get totalBytes(): number {
    return this.#summary.totalBytes;
  }

  /**
   * Authenticates every byte of the file against the host, without decompressing the chunks; throws a
   * {@link SealedLayerError} that names the first damaged unit. Memory does not grow with the layer. Several threads can
   * share the work: of `of`, the one with number `share` (from 0) looks at its part of the units.
   */
  verify(share = 0, of = 1): void {
    const chunks = Math.ceil(this.#summary.streamLength / chunkSize);
    for (let index = share; index < chunks; index += of) {
      const { record, length } = this.#chunkRecord(index);
      this.#units.check('chunk', index, record, length);
    }
    for (let address = share * pageSize; address < this.#regions.end; address += of * pageSize) {
      this.#pages.u8(address);
    }
  }

  #chunkRecord(index: number): { record: UnitRecord; length: number } {
    const address = this.#regions.chunks + index * unitRecordSize;
    const record = decodeUnitRecord(this.#pages.bytes(address, unitRecordSize), 0);
    return { record, length: Math.min(chunkSize, this.#summary.streamLength - index * chunkSize) };
  }

  #broken(what: string): SealedLayerError {
    return new SealedLayerError('SEALED_STRUCTURE', `${this.name}: ${what}`);
  }

  #inode(inode: number): number {
    if (!(inode >= 0 && inode < this.#summary.nodes)) throw new RangeError(`${this.name}: no inode ${inode}`);
    return inode * inodeSize;
  }

  kind(inode: number): NodeKind {
    const kind = kinds.get(this.#pages.u8(this.#inode(inode)));
    if (kind === undefined) throw this.#broken(`inode ${inode}: a known kind expected`);
    return kind;
  }

  #is(inode: number, kind: NodeKind): number {
    const at = this.#inode(inode);
    if (this.#pages.u8(at) !== kindCode[kind])
      throw new RangeError(`${this.name}: inode ${inode} is no ${kind}`);
    return at;
  }

  isOpaque(inode: number): boolean {
    return (this.#pages.u8(this.#inode(inode) + 1) & inodeFlag.opaque) !== 0;
  }

  /** Whether the layer does not list this directory itself, so that its attributes are a lower layer's. */
  isImplicit(inode: number): boolean {
    return (this.#pages.u8(this.#inode(inode) + 1) & inodeFlag.implicit) !== 0;
  }

  /** The directories that the layer does not list itself, without its root. */
  *implicitDirectories(): Generator<number> {
    for (let inode = 1; inode < this.#summary.nodes; inode++)
      if (this.kind(inode) === 'directory' && this.isImplicit(inode)) yield inode;
  }

  attributes(inode: number): Omit<Attributes, 'ino'> {
    const at = this.#inode(inode);
    const kind = this.kind(inode);
    const pages = this.#pages;
    const start = pages.u64(at + 40);
    const size = kind === 'directory' ? 4096 : pages.u64(at + 16);
    const device = kind === 'character' || kind === 'block';
    return {
      kind,
      mode: pages.u16(at + 2) & 0o7777,
      uid: pages.u32(at + 4),
      gid: pages.u32(at + 8),
      size,
      links: pages.u32(at + 12),
      mtimeSeconds: pages.i64(at + 24),
      mtimeNanoseconds: pages.u32(at + 32),
      rdevMajor: device ? start % 0x1_0000_0000 : 0,
      rdevMinor: device ? Math.floor(start / 0x1_0000_0000) : 0,
      blocks: this.#blocks(at, kind, size),
    };
  }

  #blocks(at: number, kind: NodeKind, size: number): number {
    if (kind === 'directory') return 8;
    if (kind !== 'file') return 0;
    if ((this.#pages.u8(at + 1) & inodeFlag.contiguous) !== 0) return Math.ceil(size / 512);
    const first = this.#extents(at);
    const last = first + (this.#pages.u32(at + 36) - 1) * extentSize;
    return Math.ceil((this.#pages.u64(last + 8) - this.#pages.u64(first + 8)) / 512);
  }

  /** Address of the first extent of a file with holes. */
  #extents(at: number): number {
    const first = this.#pages.u64(at + 40);
    const count = this.#pages.u32(at + 36);
    if (count < 1 || first + count > this.#summary.extents)
      throw this.#broken('extents inside their region expected');
    return this.#regions.extents + first * extentSize;
  }

  /** Number of entries of a directory, whiteouts included. */
  entryCount(directory: number): number {
    const at = this.#is(directory, 'directory');
    const first = this.#pages.u64(at + 40);
    const count = this.#pages.u32(at + 36);
    if (first + count > this.#summary.entries) throw this.#broken('entries inside their region expected');
    return count;
  }

  /** Address of entry `position` of a directory. */
  #entry(directory: number, position: number): number {
    const first = this.#pages.u64(directory * inodeSize + 40);
    return this.#regions.entries + (first + position) * entrySize;
  }

  #nameAddress(entry: number): number {
    const offset = this.#pages.u64(entry + 8);
    const length = this.#pages.u16(entry + 4);
    if (length === 0 || length > maxNameLength || offset + length > this.#summary.heapLength)
      throw this.#broken('a name inside the heap expected');
    return this.#regions.heap + offset;
  }

  /** Name of entry `position` (from 0, in byte order) of a directory. */
  entryName(directory: number, position: number): Uint8Array {
    const entry = this.#entry(directory, position);
    return this.#pages.bytes(this.#nameAddress(entry), this.#pages.u16(entry + 4));
  }

  entry(directory: number, position: number): SealedEntry {
    return this.#decodeEntry(this.#entry(directory, position));
  }

  #decodeEntry(entry: number): SealedEntry {
    const inode = this.#pages.u32(entry);
    const code = this.#pages.u8(entry + 6);
    if (code === whiteoutCode && inode === noInode) return { inode: undefined, kind: undefined };
    const kind = kinds.get(code);
    if (kind === undefined || inode >= this.#summary.nodes)
      throw this.#broken('an entry with a known kind and inode expected');
    return { inode, kind };
  }

  /** The entry with this name, found by binary search. */
  find(directory: number, name: Uint8Array): SealedEntry | undefined {
    let low = 0;
    let high = this.entryCount(directory) - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const entry = this.#entry(directory, middle);
      const order = this.#pages.compare(this.#nameAddress(entry), this.#pages.u16(entry + 4), name);
      if (order === 0) return this.#decodeEntry(entry);
      if (order < 0) low = middle + 1;
      else high = middle - 1;
    }
    return undefined;
  }

  /** The names from the root of the layer to a directory. */
  path(directory: number): Uint8Array[] {
    const names: Uint8Array[] = [];
    let inode = directory;
    while (inode !== 0) {
      const at = this.#is(inode, 'directory');
      const entry = this.#pages.u32(at + 56);
      const parent = this.#pages.u32(at + 60);
      // A parent always has the smaller number, so the way up ends.
      if (parent >= inode || entry >= this.#summary.entries)
        throw this.#broken('a parent above its directory expected');
      const address = this.#regions.entries + entry * entrySize;
      names.push(this.#pages.bytes(this.#nameAddress(address), this.#pages.u16(address + 4)));
      inode = parent;
    }
    return names.toReversed();
  }

  readlink(inode: number): Uint8Array {
    const at = this.#is(inode, 'symlink');
    const start = this.#pages.u64(at + 40);
    const length = this.#pages.u32(at + 36);
    if (length === 0 || length > maxTargetLength || start + length > this.#summary.heapLength)
      throw this.#broken(`inode ${inode}: a link target inside the heap expected`);
    return this.#pages.bytes(this.#regions.heap + start, length);
  }

  /** Visits the extended attributes; `false` stops. */
  #xattrs(inode: number, visit: (name: Uint8Array, value: Uint8Array) => boolean): void {
    const start = this.#pages.u64(this.#inode(inode) + 48);
    if (start === 0) return;
    if (start + 4 > this.#summary.heapLength)
      throw this.#broken(`inode ${inode}: attributes inside the heap expected`);
    const head = viewOf(this.#pages.bytes(this.#regions.heap + start, 4)).getUint32(0, true);
    if (head > maxXattrBytes || start + 4 + head > this.#summary.heapLength)
      throw this.#broken(`inode ${inode}: attributes inside the heap expected`);
    const bytes = this.#pages.bytes(this.#regions.heap + start + 4, head);
    const view = viewOf(bytes);
    for (let at = 0; at < head;) {
      if (at + 6 > head) throw this.#broken(`inode ${inode}: a whole attribute expected`);
      const value = at + 6 + view.getUint16(at, true);
      const end = value + view.getUint32(at + 2, true);
      if (end > head) throw this.#broken(`inode ${inode}: a whole attribute expected`);
      if (!visit(bytes.subarray(at + 6, value), bytes.subarray(value, end))) return;
      at = end;
    }
  }

  xattrNames(inode: number): Uint8Array[] {
    const names: Uint8Array[] = [];
    this.#xattrs(inode, (name) => names.push(name) > 0);
    return names;
  }

  xattr(inode: number, name: Uint8Array): Uint8Array | undefined {
    let found: Uint8Array | undefined;
    this.#xattrs(inode, (candidate, value) => {
      const same = candidate.length === name.length && candidate.every((byte, i) => byte === name[i]);
      if (same) found = value;
      return !same;
    });
    return found;
  }

  /** Copies up to `length` bytes from `offset` of a file into `into` from `at`; returns how many. */
  read(inode: number, offset: number, length: number, into: Uint8Array, at: number): number {
    const record = this.#is(inode, 'file');
    const size = this.#pages.u64(record + 16);
    const wanted = Math.min(length, size - offset);
    if (wanted <= 0) return 0;
    if ((this.#pages.u8(record + 1) & inodeFlag.contiguous) !== 0) {
      this.#copy(this.#pages.u64(record + 40) + offset, wanted, into, at);
      return wanted;
    }
    this.#readExtents(record, offset, wanted, into, at);
    return wanted;
  }

  #readExtents(record: number, offset: number, wanted: number, into: Uint8Array, at: number): void {
    const first = this.#extents(record);
    const count = this.#pages.u32(record + 36);
    const start = (i: number) => this.#pages.u64(first + i * extentSize);
    const position = (i: number) => this.#pages.u64(first + i * extentSize + 8);
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (start(middle) <= offset) low = middle;
      else high = middle - 1;
    }
    const end = offset + wanted;
    into.fill(0, at, at + wanted);
    for (let i = low; i < count - 1 && start(i) < end; i++) {
      const pieceStart = start(i);
      const pieceEnd = pieceStart + position(i + 1) - position(i);
      const from = Math.max(offset, pieceStart);
      const to = Math.min(end, pieceEnd);
      if (to > from) this.#copy(position(i) + from - pieceStart, to - from, into, at + from - offset);
    }
  }

  /** Copies bytes of the stream. */
  #copy(position: number, length: number, into: Uint8Array, at: number): void {
    if (position + length > this.#summary.streamLength)
      throw this.#broken('file contents inside the stream expected');
    for (let done = 0; done < length;) {
      const chunk = this.#chunk(Math.floor((position + done) / chunkSize));
      const from = (position + done) % chunkSize;
      const part = chunk.subarray(from, from + length - done);
      into.set(part, at + done);
      done += part.length;
    }
  }

  #chunk(index: number): Uint8Array {
    const key = this.#prefix + index;
    const cached = this.#caches.chunks.get(key);
    if (cached !== undefined) return cached;
    const { record, length } = this.#chunkRecord(index);
    const chunk = this.#units.open('chunk', index, record, length);
    this.#caches.chunks.set(key, chunk);
    return chunk;
  }
}
