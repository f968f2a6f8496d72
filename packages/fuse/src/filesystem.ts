import type { Attributes, Entry } from './attributes.ts';
import type { DirectoryWriter } from './directory.ts';
import type { Caller } from './request.ts';

/**
 * What a method returns instead of a result when it answers later, by `Connection.reply`: only methods whose result
 * is no more than success or an error may (`fsync`, `fsyncdir`, `flush`, `setattr` may not).
 */
export const deferred = -0x4000_0000;

/** What the kernel and this side agreed on. */
export interface Connection {
  readonly minor: number;
  /** Whether the kernel keeps written data and sends it later (writeback cache); size and mtime are then its own. */
  readonly writebackCache: boolean;
  /** Answers a request whose method returned `deferred`: 0, or a negative error number. */
  reply(unique: number, status: number): void;
  /** Tells the kernel that data it caches of `node` from `offset` on (`length` 0: to the end) is no longer right. */
  invalidate(node: number, offset: number, length: number): void;
}

/** What a file system asks the kernel for at INIT. */
export interface Wishes {
  /** Let the kernel collect written data. Needs `mtime` and `size` to be left to it. */
  readonly writebackCache?: boolean;
  /** The file system itself clears setuid and setgid (`KILL_SUIDGID` of write, setattr, open). */
  readonly handleKillPrivilegesV2?: boolean;
  /** OPEN with O_TRUNC reaches `open` instead of a SETATTR before it. */
  readonly atomicTruncate?: boolean;
  /** Cached data stays valid whatever size and mtime a GETATTR tells. */
  readonly explicitInvalidation?: boolean;
  /** Granularity of times in nanoseconds; 1 unless given. */
  readonly timeGranularity?: number;
}

/** SETATTR: `valid` (bits of `setAttribute`) says which fields are meant. Reused between requests. */
export interface AttributeChange {
  valid: number;
  /** -1 where none was given. */
  handle: number;
  size: number;
  mode: number;
  uid: number;
  gid: number;
  atime: number;
  atimeNanoseconds: number;
  mtime: number;
  mtimeNanoseconds: number;
  ctime: number;
  ctimeNanoseconds: number;
}

/** The reply to OPEN, OPENDIR and CREATE. */
export interface Opened {
  handle: number;
  /** Bits of `openFlag`. */
  flags: number;
}

/** The reply to STATFS. */
export interface Statistics {
  blocks: number;
  freeBlocks: number;
  availableBlocks: number;
  files: number;
  freeFiles: number;
  blockSize: number;
  nameLength: number;
}

/**
 * A file system, one synchronous method per operation of the kernel. All of them
 *
 * - return a result that is not negative, or a negative error number (`-errno.ENOENT`), or throw `FuseErrno`;
 *   any other exception becomes EIO and a line in the log;
 * - get names, data and the caller as views of buffers that the next request overwrites: keep copies;
 * - may be absent: the kernel gets ENOSYS and, for most of them, never asks again.
 *
 * Nodes are numbers that the file system chooses (1 is the root, at most 2⁵³ − 1). Every `Entry` with a node that is
 * not 0 counts as one lookup of that node, until `forget` takes the count back. Handles are numbers likewise.
 * Permissions are checked by the kernel (`default_permissions`) before a method is called. File locks (flock and
 * POSIX) are not here: a mount has one kernel, and the kernel keeps them itself.
 */
export interface Filesystem {
  readonly wishes?: Wishes;
  /** Called once, when the protocol has been agreed on. */
  init?(connection: Connection): void;
  /** Called once, after the last request. */
  destroy?(): void;
  /**
   * Called when there is time, with a monotonic clock in milliseconds; returns after how many milliseconds it wants to
   * be called again at the latest.
   */
  tick?(now: number): number;
  /** Called after each request, its answer on the way: for work that the answer need not wait for. */
  after?(): void;
  /** Called when many ask in turn and no request is there yet: for work that the next one would have to wait for. */
  spare?(): void;
  /** The processor to which a disk says that it is done, where requests wait for one and it says so to one alone. */
  processor?(): number | undefined;
  /** A message of the parent thread (`ServedFilesystem.post`). */
  message?(value: unknown): void;

  lookup(parent: number, name: Uint8Array, entry: Entry, caller: Caller): number;
  forget?(node: number, lookups: number): void;
  /** `handle` is -1 where the kernel has none. */
  getattr(node: number, handle: number, attributes: Attributes, caller: Caller): number;
  setattr?(node: number, change: AttributeChange, attributes: Attributes, caller: Caller): number;
  access?(node: number, mask: number, caller: Caller): number;
  statfs?(node: number, statistics: Statistics): number;

  /** Writes the target to `into` at `at`; returns its length. */
  readlink?(node: number, into: Uint8Array, at: number, capacity: number): number;
  symlink?(parent: number, name: Uint8Array, target: Uint8Array, entry: Entry, caller: Caller): number;
  /** `mode` has the umask taken off already. */
  mknod?(parent: number, name: Uint8Array, mode: number, rdev: number, entry: Entry, caller: Caller): number;
  mkdir?(parent: number, name: Uint8Array, mode: number, entry: Entry, caller: Caller): number;
  unlink?(parent: number, name: Uint8Array, caller: Caller): number;
  rmdir?(parent: number, name: Uint8Array, caller: Caller): number;
  /** `flags`: 1 RENAME_NOREPLACE, 2 RENAME_EXCHANGE, 4 RENAME_WHITEOUT. */
  rename?(
    parent: number,
    name: Uint8Array,
    newParent: number,
    newName: Uint8Array,
    flags: number,
    caller: Caller,
  ): number;
  link?(node: number, newParent: number, newName: Uint8Array, entry: Entry, caller: Caller): number;

  /** `flags` are those of open(2); bit `kill` says that setuid and setgid are to be cleared. */
  open?(node: number, flags: number, kill: boolean, opened: Opened, caller: Caller): number;
  create?(
    parent: number,
    name: Uint8Array,
    flags: number,
    mode: number,
    entry: Entry,
    opened: Opened,
    caller: Caller,
  ): number;
  /** A new file without a name (O_TMPFILE): `link` may give it one, else it goes with its last `forget`. */
  tmpfile?(parent: number, flags: number, mode: number, entry: Entry, opened: Opened, caller: Caller): number;
  /** Returns how many bytes it wrote to `into` at `at`: fewer than `length` only at the end of the file. */
  read?(
    node: number,
    handle: number,
    offset: number,
    length: number,
    into: Uint8Array,
    at: number,
    caller: Caller,
  ): number;
  /** Returns how many bytes it took from `from` at `at`. `flags` are bits of `writeFlag`. */
  write?(
    node: number,
    handle: number,
    offset: number,
    length: number,
    from: Uint8Array,
    at: number,
    flags: number,
    caller: Caller,
  ): number;
  /** Each close(2). */
  flush?(node: number, handle: number, caller: Caller): number;
  /** The last close(2). */
  release?(node: number, handle: number): number;
  fsync?(node: number, handle: number, dataOnly: boolean, caller: Caller): number;
  /** `mode` is that of fallocate(2). */
  fallocate?(
    node: number,
    handle: number,
    offset: number,
    length: number,
    mode: number,
    caller: Caller,
  ): number;
  /** `whence` 3 SEEK_DATA, 4 SEEK_HOLE; returns the offset. */
  lseek?(node: number, handle: number, offset: number, whence: number): number;
  /** Returns how many bytes were copied. */
  copyFileRange?(
    node: number,
    handle: number,
    offset: number,
    toNode: number,
    toHandle: number,
    toOffset: number,
    length: number,
    caller: Caller,
  ): number;

  opendir?(node: number, flags: number, opened: Opened, caller: Caller): number;
  /** Adds entries from `offset` on to `writer` until it is full; for READDIRPLUS see `writer.plus`. */
  readdir?(node: number, handle: number, offset: number, writer: DirectoryWriter, caller: Caller): number;
  releasedir?(node: number, handle: number): number;
  fsyncdir?(node: number, handle: number, dataOnly: boolean, caller: Caller): number;

  /** `flags`: 1 XATTR_CREATE, 2 XATTR_REPLACE. */
  setxattr?(
    node: number,
    name: Uint8Array,
    value: Uint8Array,
    flags: number,
    killSetgid: boolean,
    caller: Caller,
  ): number;
  /** Returns the length of the value; writes it only if it is at most `capacity`. */
  getxattr?(
    node: number,
    name: Uint8Array,
    into: Uint8Array,
    at: number,
    capacity: number,
    caller: Caller,
  ): number;
  /** Like getxattr; names are each ended by NUL. */
  listxattr?(node: number, into: Uint8Array, at: number, capacity: number, caller: Caller): number;
  removexattr?(node: number, name: Uint8Array, caller: Caller): number;
}
