export type NodeKind = 'file' | 'directory' | 'symlink' | 'character' | 'block' | 'fifo' | 'socket';

export interface Attributes {
  readonly kind: NodeKind;
  /** The 12 permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes. */
  readonly size: number;
  readonly links: number;
  readonly mtimeSeconds: number;
  readonly mtimeNanoseconds: number;
  readonly rdevMajor: number;
  readonly rdevMinor: number;
  readonly ino: number;
  /** Allocated units of 512 bytes. */
  readonly blocks: number;
}

/** Gets one entry of a directory; `false` stops the listing. `nextCursor` is where to go on after this entry. */
export type VisitEntry = (name: Uint8Array, node: number, kind: NodeKind, nextCursor: number) => boolean;

/** A read-only file tree, all of it synchronous. Nodes are numbers below 2⁵³; the root is 1. Names are bytes. */
export interface ReadOnlyTree {
  attributes(node: number): Attributes;
  lookup(parent: number, name: Uint8Array): number | undefined;
  /** Copies up to `length` bytes from `offset` of the file to `into` from `at`; returns how many (less only at the end). */
  read(node: number, offset: number, length: number, into: Uint8Array, at: number): number;
  readlink(node: number): Uint8Array;
  /** Visits the entries of a directory in a fixed order, from `start` (0, or a `nextCursor` of an earlier visit). */
  list(node: number, start: number, visit: VisitEntry): void;
  xattrNames(node: number): Uint8Array[];
  xattr(node: number, name: Uint8Array): Uint8Array | undefined;
  forget?(node: number): void;
  readonly nodeCount: number;
  readonly totalBytes: number;
}
