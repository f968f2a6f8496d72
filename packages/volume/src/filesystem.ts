import type { Attributes, Entry } from '@ensconce/fuse/attributes';
import type { DirectoryWriter } from '@ensconce/fuse/directory';
import { errno, FuseErrno } from '@ensconce/fuse/errno';
import { deferred } from '@ensconce/fuse/filesystem';
import type {
  AttributeChange,
  Connection,
  Filesystem,
  Opened,
  Statistics,
  Wishes,
} from '@ensconce/fuse/filesystem';
import { fileType, setAttribute, writeFlag } from '@ensconce/fuse/protocol';
import type { Caller } from '@ensconce/fuse/request';
import type { Backing } from './backing.ts';
import type { Moment } from './clock.ts';
import { Compaction } from './compaction.ts';
import { Contents, streamed } from './contents.ts';
import { FlushForecast } from './flush-forecast.ts';
import { FreeSpace } from './free-space.ts';
import type { Inode } from './inode.ts';
import { Inodes } from './inodes.ts';
import { fillAttributes } from './inode-attributes.ts';
import { segmentSizeOn } from './frame.ts';
import { targetKey } from './key.ts';
import { Names } from './names.ts';
import { blockSize, cellBytes } from './units.ts';
import type { Volume } from './volume.ts';
import { isSupported, Xattrs } from './xattrs.ts';

export interface VolumeFilesystemOptions {
  readonly volume: Volume;
  readonly backing: Backing;
  readonly now: () => Moment;
  readonly log: (line: string) => void;
  readonly readOnly?: boolean;
  /** Changes become durable after so many milliseconds even if nobody asks. */
  readonly commitInterval?: number;
  /** The kernel collects what is written until the file is flushed or closed (writeback cache): errors show only then. */
  readonly kernelCollects?: boolean;
  /** Bytes that nothing refers to any more which the directory may hold before they are given back; by its size unless given. */
  readonly deadBytes?: number;
}

const setuid = 0o4000;
const setgid = 0o2000;
const groupExecute = 0o010;
const fallocateKeepSize = 1;
const fallocatePunch = 2;
const fallocateZero = 0x10;
const seekData = 3;
const seekHole = 4;
const largestFile = 2 ** 52;

/** Puts the root directory into a new volume. */
export function makeRoot(volume: Volume, now: Moment, mode = 0o755, uid = 0, gid = 0): void {
  const inodes = new Inodes(volume);
  const root = inodes.create(fileType.directory | mode, uid, gid, now);
  root.links = 2;
  inodes.flush();
}

/** A volume as a file system: inode numbers are node ids, there are no handles. */
export class VolumeFilesystem implements Filesystem {
  readonly wishes: Wishes;
  readonly #volume: Volume;
  readonly #options: VolumeFilesystemOptions;
  readonly #inodes: Inodes;
  readonly #contents: Contents;
  readonly #xattrs: Xattrs;
  readonly #now: () => Moment;
  readonly #names: Names;
  readonly #space: FreeSpace;
  readonly #compaction: Compaction;
  readonly #forecast = new FlushForecast();
  #connection: Connection | undefined;
  /** Whole cells that the kernel was told are written. */
  #late: { inode: Inode; offset: number; length: number; from: Uint8Array; at: number } | undefined;
  #dirtySince = -1;

  constructor(options: VolumeFilesystemOptions) {
    this.#options = options;
    this.wishes = {
      explicitInvalidation: true,
      handleKillPrivilegesV2: true,
      writebackCache: options.kernelCollects ?? false,
    };
    this.#volume = options.volume;
    this.#now = options.now;
    this.#inodes = new Inodes(options.volume);
    this.#contents = new Contents(options.volume, this.#inodes);
    this.#xattrs = new Xattrs(options.volume, this.#inodes);
    this.#names = new Names({
      volume: options.volume,
      inodes: this.#inodes,
      contents: this.#contents,
      xattrs: this.#xattrs,
      now: options.now,
      changing: (bytes) => this.#changing(bytes),
      removed: () => {
        if (this.#dirtySince < 0) this.#dirtySince = 0;
      },
    });
    this.#space = new FreeSpace(options.backing, () => options.volume.giveBackSpares());
    const { total } = options.backing.space();
    this.#compaction = new Compaction({
      volume: options.volume,
      inodes: this.#inodes,
      contents: this.#contents,
      log: options.log,
      total,
      segmentSize: segmentSizeOn(total),
      deadBytes: options.deadBytes,
    });
    options.volume.prepare = () => this.#prepare();
    if (!options.readOnly) this.#names.removeOrphans();
  }

  #prepare(): void {
    this.#contents.flush();
    this.#names.flush();
    this.#inodes.flush();
  }

  init(connection: Connection): void {
    this.#connection = connection;
  }

  destroy(): void {
    this.finish();
  }

  /** The last commit, when the file system has been unmounted. */
  finish(): void {
    if (this.#options.readOnly) return;
    this.#volume.commit((error) => {
      if (error) this.#options.log(`the last commit failed: ${error.message}`);
      this.#volume.giveBackSpares();
    }, true);
  }

  after(): void {
    const late = this.#late;
    this.#late = undefined;
    try {
      if (late) this.#contents.writeLate(late.inode, late.offset, late.length, late.from, late.at);
    } finally {
      this.#compaction.asked();
      this.#inodes.settle();
      this.#volume.settle();
    }
  }

  tick(now: number): number {
    const interval = this.#options.commitInterval ?? 1000;
    this.#space.lookAgain(now);
    const wait = Math.min(this.#volume.settlePromises(), this.#commitInTime(now, interval));
    return Math.min(wait, this.#compact(now));
  }

  /** Moves what would keep the room of dead data. Returns after how many milliseconds it goes on. */
  #compact(now: number): number {
    // Where there is no room that is made after a commit.
    if (this.#volume.failure || !this.#space.holds(0, this.#contents.waiting)) return Infinity;
    try {
      return this.#compaction.tick(now);
    } finally {
      this.#inodes.settle();
      this.#volume.settle();
    }
  }

  #commitInTime(now: number, interval: number): number {
    if (this.#dirtySince < 0) return 3_600_000;
    if (this.#dirtySince === 0) this.#dirtySince = now;
    const left = this.#dirtySince + interval - now;
    if (left > 0 && !this.#volume.wantsCommit) return left;
    this.#dirtySince = -1;
    this.#volume.commit((error) => {
      if (!error) {
        // It goes on until there is room or nothing to gain: programs that were refused need not try in vain.
        if (!this.#space.holds(0, this.#contents.waiting) && this.#compaction.makeRoom())
          this.#dirtySince = 0;
        return;
      }
      this.#options.log(`a commit failed: ${error.message}`);
      this.#dirtySince = 0;
    });
    return interval;
  }

  /** Something changes: refuses where that cannot be, makes room in memory, and sees to a commit. */
  #changing(bytes: number): void {
    if (this.#options.readOnly) throw new FuseErrno('EROFS');
    const { failure } = this.#volume;
    if (failure) throw new FuseErrno('EIO');
    if (this.#dirtySince < 0) this.#dirtySince = 0;
    this.#compaction.wrote(bytes);
    if (bytes > 0 && !this.#space.holds(bytes, this.#contents.waiting)) throw new FuseErrno('ENOSPC');
    if (this.#contents.full) this.#orNoSpace(() => this.#contents.flush());
    if (this.#volume.wantsCommit)
      this.#volume.commit((error) => error && this.#options.log(`a commit failed: ${error.message}`));
  }

  #orNoSpace(action: () => void): void {
    try {
      action();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOSPC' || code === 'EDQUOT') throw new FuseErrno('ENOSPC');
      throw error;
    }
  }

  #fill(inode: Inode, attributes: Attributes): void {
    fillAttributes(inode, this.#contents.waitingBlocks(inode.ino), attributes);
  }

  lookup(parent: number, name: Uint8Array, entry: Entry): number {
    return this.#names.lookup(parent, name, entry);
  }

  forget(node: number, count: number): void {
    this.#names.forget(node, count);
  }

  mknod(parent: number, name: Uint8Array, mode: number, rdev: number, entry: Entry, caller: Caller): number {
    return this.#names.mknod(parent, name, mode, rdev, entry, caller);
  }

  mkdir(parent: number, name: Uint8Array, mode: number, entry: Entry, caller: Caller): number {
    return this.#names.mkdir(parent, name, mode, entry, caller);
  }

  tmpfile(
    parent: number,
    _flags: number,
    mode: number,
    entry: Entry,
    _opened: Opened,
    caller: Caller,
  ): number {
    return this.#names.tmpfile(parent, mode, entry, caller);
  }

  symlink(parent: number, name: Uint8Array, target: Uint8Array, entry: Entry, caller: Caller): number {
    return this.#names.symlink(parent, name, target, entry, caller);
  }

  link(node: number, parent: number, name: Uint8Array, entry: Entry): number {
    return this.#names.link(node, parent, name, entry);
  }

  unlink(parent: number, name: Uint8Array): number {
    return this.#names.unlink(parent, name);
  }

  rmdir(parent: number, name: Uint8Array): number {
    return this.#names.rmdir(parent, name);
  }

  rename(parent: number, name: Uint8Array, newParent: number, newName: Uint8Array, flags: number): number {
    return this.#names.rename(parent, name, newParent, newName, flags);
  }

  readdir(node: number, _handle: number, offset: number, writer: DirectoryWriter): number {
    return this.#names.readdir(node, offset, writer);
  }

  getattr(node: number, _handle: number, attributes: Attributes): number {
    this.#fill(this.#inodes.get(node), attributes);
    return 0;
  }

  /** What must not survive a change of contents or owner (chown(2), write(2)). */
  #dropPrivileges(inode: Inode): void {
    if ((inode.mode & fileType.mask) === fileType.directory) return;
    inode.mode &= ~setuid;
    if (inode.mode & groupExecute) inode.mode &= ~setgid;
    this.#xattrs.dropCapability(inode);
  }

  setattr(node: number, change: AttributeChange, attributes: Attributes): number {
    // First: it may put inodes out of memory.
    this.#changing(0);
    const inode = this.#inodes.get(node);
    const { valid } = change;
    const now = this.#now();
    if (valid & setAttribute.SIZE) {
      if (change.size > largestFile) return -errno.EFBIG;
      this.#contents.truncate(inode, change.size);
      inode.setModification(now);
    }
    if (valid & setAttribute.MODE) inode.mode = (inode.mode & fileType.mask) | (change.mode & 0o7777);
    if (valid & setAttribute.UID) inode.uid = change.uid;
    if (valid & setAttribute.GID) inode.gid = change.gid;
    const owned = valid & (setAttribute.UID | setAttribute.GID) && !(valid & setAttribute.MODE);
    if (owned || valid & setAttribute.KILL_SUIDGID) this.#dropPrivileges(inode);
    if (valid & setAttribute.ATIME_NOW) inode.setAccess(now);
    else if (valid & setAttribute.ATIME)
      inode.setAccess({ seconds: change.atime, nanoseconds: change.atimeNanoseconds });
    if (valid & setAttribute.MTIME_NOW) inode.setModification(now);
    else if (valid & setAttribute.MTIME)
      inode.setModification({ seconds: change.mtime, nanoseconds: change.mtimeNanoseconds });
    if (valid & setAttribute.CTIME)
      inode.setChange({ seconds: change.ctime, nanoseconds: change.ctimeNanoseconds });
    else inode.setChange(now);
    this.#inodes.changed(inode);
    this.#fill(inode, attributes);
    return 0;
  }

  statfs(_node: number, statistics: Statistics): number {
    const { available: bytes, total } = this.#space.get();
    const available = Math.floor(bytes / blockSize);
    statistics.blocks = Math.floor(total / blockSize);
    statistics.freeBlocks = available;
    statistics.availableBlocks = available;
    statistics.files = this.#inodes.count + available;
    statistics.freeFiles = available;
    return 0;
  }

  readlink(node: number, into: Uint8Array, at: number, capacity: number): number {
    const target = this.#volume.get(targetKey(node));
    if (!target || target.length > capacity) return -errno.EINVAL;
    into.set(target, at);
    return target.length;
  }

  #modified(inode: Inode): void {
    const now = this.#now();
    inode.setModification(now);
    inode.setChange(now);
  }

  #touchInode(inode: Inode, now: Moment): void {
    inode.setChange(now);
    this.#inodes.changed(inode);
  }

  read(node: number, _handle: number, offset: number, length: number, into: Uint8Array, at: number): number {
    return this.#contents.read(this.#inodes.get(node), offset, length, into, at);
  }

  write(
    node: number,
    _handle: number,
    offset: number,
    length: number,
    from: Uint8Array,
    at: number,
    flags: number,
  ): number {
    this.#changing(length);
    const inode = this.#inodes.get(node);
    if (offset + length > largestFile) return -errno.EFBIG;
    const whole = offset % cellBytes === 0 && length % cellBytes === 0;
    // The kernel goes on while the data is sealed; only its loop calls `after`.
    if (whole && length >= streamed && this.#connection) this.#late = { inode, offset, length, from, at };
    else this.#writeNow(inode, offset, length, from, at);
    if (offset + length > inode.size) inode.size = offset + length;
    if (flags & writeFlag.KILL_SUIDGID) this.#dropPrivileges(inode);
    // Of what the kernel has collected it tells the times itself.
    if (!(flags & writeFlag.CACHE && this.#connection?.writebackCache)) this.#modified(inode);
    this.#inodes.changed(inode);
    this.#forecast.wrote(node);
    return length;
  }

  #writeNow(inode: Inode, offset: number, length: number, from: Uint8Array, at: number): void {
    try {
      this.#orNoSpace(() => this.#contents.write(inode, offset, length, from, at));
    } catch (error) {
      // What was taken of it lies beyond the end, and must not show when the file grows.
      const start = Math.max(offset, roundUp(inode.size));
      if (start < offset + length) this.#contents.punch(inode, start, roundUp(offset + length));
      throw error;
    }
  }

  fallocate(
    node: number,
    _handle: number,
    offset: number,
    length: number,
    mode: number,
    caller: Caller,
  ): number {
    if (mode & ~(fallocateKeepSize | fallocatePunch | fallocateZero)) return -errno.EOPNOTSUPP;
    this.#changing(0);
    const inode = this.#inodes.get(node);
    const end = offset + length;
    if (end > largestFile) return -errno.EFBIG;
    if (mode & (fallocatePunch | fallocateZero)) {
      const held = Math.min(end, inode.size);
      if (held > offset) this.#contents.punch(inode, offset, held === inode.size ? roundUp(held) : held);
    } else if (length > this.#space.get().available) return -errno.ENOSPC;
    if (!(mode & fallocateKeepSize) && end > inode.size) inode.size = end;
    // Unlike with WRITE and SETATTR the kernel does not say whether the caller may keep them (CAP_FSETID): root may.
    if (caller.uid === 0) this.#xattrs.dropCapability(inode);
    else this.#dropPrivileges(inode);
    this.#modified(inode);
    this.#inodes.changed(inode);
    return 0;
  }

  lseek(node: number, _handle: number, offset: number, whence: number): number {
    // The kernel may hold data that is not here yet; its own answer is that all of a file is data.
    if (this.#connection?.writebackCache) return -errno.ENOSYS;
    if (whence !== seekData && whence !== seekHole) return -errno.EINVAL;
    return this.#contents.seek(this.#inodes.get(node), offset, whence === seekData) ?? -errno.ENXIO;
  }

  processor(): number | undefined {
    return this.#options.backing.processor?.();
  }

  spare(): void {
    if (this.#forecast.expects()) this.#volume.writeAhead();
  }

  fsync(node: number, _handle: number, _dataOnly: boolean, caller: Caller): number {
    if (this.#options.readOnly) return 0;
    this.#forecast.flushed(node);
    const { unique } = caller;
    let result: number | undefined;
    this.#dirtySince = -1;
    this.#volume.commit((error) => {
      result = error ? (error.code === 'VOLUME_FULL' ? -errno.ENOSPC : -errno.EIO) : 0;
      // At once: what else is to be done for the commit can wait.
      this.#connection?.reply(unique, result);
      if (!error) return;
      this.#dirtySince = 0;
      this.#options.log(`a commit failed: ${error.message}`);
    });
    return this.#connection ? deferred : (result ?? deferred);
  }

  fsyncdir(node: number, handle: number, dataOnly: boolean, caller: Caller): number {
    return this.fsync(node, handle, dataOnly, caller);
  }

  getxattr(node: number, name: Uint8Array, into: Uint8Array, at: number, capacity: number): number {
    const value = this.#xattrs.get(this.#inodes.get(node), name);
    if (!value) return isSupported(name) ? -errno.ENODATA : -errno.EOPNOTSUPP;
    if (value.length <= capacity) into.set(value, at);
    return value.length;
  }

  setxattr(node: number, name: Uint8Array, value: Uint8Array, flags: number): number {
    this.#changing(blockSize);
    const inode = this.#inodes.get(node);
    const result = this.#xattrs.set(inode, name, value, flags);
    if (result === 0) this.#touchInode(inode, this.#now());
    return result;
  }

  listxattr(node: number, into: Uint8Array, at: number, capacity: number): number {
    const names = this.#xattrs.names(this.#inodes.get(node));
    let size = 0;
    for (const name of names) size += name.length + 1;
    if (size > capacity) return size;
    let position = at;
    for (const name of names) {
      into.set(name, position);
      into[position + name.length] = 0;
      position += name.length + 1;
    }
    return size;
  }

  removexattr(node: number, name: Uint8Array): number {
    this.#changing(0);
    const inode = this.#inodes.get(node);
    if (!isSupported(name)) return -errno.EOPNOTSUPP;
    if (!this.#xattrs.remove(inode, name)) return -errno.ENODATA;
    this.#touchInode(inode, this.#now());
    return 0;
  }
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / blockSize) * blockSize;
}
