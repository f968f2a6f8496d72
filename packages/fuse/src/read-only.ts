import { Entry, forEver } from './attributes.ts';
import type { Attributes } from './attributes.ts';

import type { DirectoryWriter } from './directory.ts';
import { errno } from './errno.ts';
import type { Filesystem, Statistics } from './filesystem.ts';
import { encodeDevice, fileType } from './protocol.ts';

export type NodeKind = 'file' | 'directory' | 'symlink' | 'character' | 'block' | 'fifo' | 'socket';

export interface TreeAttributes {
  readonly kind: NodeKind;
  /** The 12 permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly links: number;
  readonly mtimeSeconds: number;
  readonly mtimeNanoseconds: number;
  readonly rdevMajor: number;
  readonly rdevMinor: number;
  readonly ino: number;
  /** Units of 512 bytes. */
  readonly blocks: number;
}

/** A tree that never changes. Nodes are numbers, 1 is the root; the same node has the same number in every worker. */
export interface ReadOnlyTree {
  attributes(node: number): TreeAttributes;
  lookup(parent: number, name: Uint8Array): number | undefined;
  /** Returns how many bytes of `length` from `offset` it wrote to `into` at `at`. */
  read(node: number, offset: number, length: number, into: Uint8Array, at: number): number;
  readlink(node: number): Uint8Array;
  /** Visits the entries (without `.` and `..`) from cursor `start` (0: the first) until `visit` returns false. */
  list(
    node: number,
    start: number,
    visit: (name: Uint8Array, node: number, kind: NodeKind, nextCursor: number) => boolean,
  ): void;
  xattrNames(node: number): readonly Uint8Array[];
  xattr(node: number, name: Uint8Array): Uint8Array | undefined;
  /** The kernel no longer knows the node. */
  forget?(node: number): void;
  readonly nodeCount: number;
  readonly totalBytes: number;
  /** False where no node has extended attributes: the kernel then stops asking. */
  readonly hasXattrs?: boolean;
}

const typeBits: Record<NodeKind, number> = {
  file: fileType.file,
  directory: fileType.directory,
  symlink: fileType.symlink,
  character: fileType.character,
  block: fileType.block,
  fifo: fileType.fifo,
  socket: fileType.socket,
};

/** Entries that `.` and `..` take before the tree's own cursors. */
const dots = 2;

/**
 * Serves a tree that never changes so that the kernel asks for each thing once: names, absent names, attributes,
 * symlinks, directory listings and file contents stay in its caches until memory runs short.
 */
export class ReadOnlyFilesystem implements Filesystem {
  readonly wishes = { explicitInvalidation: true };
  readonly #tree: ReadOnlyTree;
  readonly #entry = new Entry();

  constructor(tree: ReadOnlyTree) {
    this.#tree = tree;
  }

  lookup(parent: number, name: Uint8Array, entry: Entry): number {
    const node = this.#tree.lookup(parent, name);
    entry.validity = forEver;
    entry.node = node ?? 0;
    if (node !== undefined) this.#fill(node, entry.attributes);
    return 0;
  }

  forget(node: number): void {
    this.#tree.forget?.(node);
  }

  getattr(node: number, _handle: number, attributes: Attributes): number {
    this.#fill(node, attributes);
    return 0;
  }

  #fill(node: number, attributes: Attributes): void {
    const from = this.#tree.attributes(node);
    attributes.ino = from.ino;
    attributes.size = from.size;
    attributes.blocks = from.blocks;
    attributes.atime = attributes.mtime = attributes.ctime = from.mtimeSeconds;
    attributes.atimeNanoseconds = from.mtimeNanoseconds;
    attributes.mtimeNanoseconds = from.mtimeNanoseconds;
    attributes.ctimeNanoseconds = from.mtimeNanoseconds;
    attributes.mode = typeBits[from.kind] | from.mode;
    attributes.links = from.links;
    attributes.uid = from.uid;
    attributes.gid = from.gid;
    attributes.rdev = encodeDevice(from.rdevMajor, from.rdevMinor);
    attributes.validity = forEver;
  }

  statfs(_node: number, statistics: Statistics): number {
    statistics.blocks = Math.ceil(this.#tree.totalBytes / statistics.blockSize);
    statistics.files = this.#tree.nodeCount;
    return 0;
  }

  readlink(node: number, into: Uint8Array, at: number, capacity: number): number {
    const target = this.#tree.readlink(node);
    if (target.length > capacity) return -errno.ENAMETOOLONG;
    into.set(target, at);
    return target.length;
  }

  // No `open` and no `opendir`: ENOSYS tells the kernel to open without asking and to keep what it has cached.

  read(node: number, _handle: number, offset: number, length: number, into: Uint8Array, at: number): number {
    return this.#tree.read(node, offset, length, into, at);
  }

  readdir(node: number, _handle: number, offset: number, writer: DirectoryWriter): number {
    if (offset < dots && !writer.addDots(offset, this.#tree.attributes(node).ino)) return 0;
    const entry = this.#entry;
    this.#tree.list(node, Math.max(0, offset - dots), (name, child, kind, nextCursor) => {
      if (!writer.plus) {
        return writer.add(name, this.#tree.attributes(child).ino, typeBits[kind], nextCursor + dots);
      }
      entry.node = child;
      entry.validity = forEver;
      this.#fill(child, entry.attributes);
      return writer.addEntry(name, entry, nextCursor + dots);
    });
    return 0;
  }

  getxattr(node: number, name: Uint8Array, into: Uint8Array, at: number, capacity: number): number {
    if (this.#tree.hasXattrs === false) return -errno.ENOSYS;
    const value = this.#tree.xattr(node, name);
    if (!value) return -errno.ENODATA;
    if (value.length <= capacity) into.set(value, at);
    return value.length;
  }

  listxattr(node: number, into: Uint8Array, at: number, capacity: number): number {
    const names = this.#tree.xattrNames(node);
    let size = 0;
    for (const name of names) size += name.length + 1;
    if (size > capacity) return size;
    let position = at;
    for (const name of names) {
      into.set(name, position);
      position += name.length;
      into[position++] = 0;
    }
    return size;
  }
}
