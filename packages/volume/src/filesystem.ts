import type { Attributes } from '@ensconce/fuse/attributes';
import { Entry, forEver } from '@ensconce/fuse/attributes';
import type { DirectoryWriter } from '@ensconce/fuse/directory';
import { errno, FuseErrno } from '@ensconce/fuse/errno';
import { deferred } from '@ensconce/fuse/filesystem';
import type { AttributeChange, Connection, Filesystem, Statistics } from '@ensconce/fuse/filesystem';
import { fileType, setAttribute, writeFlag } from '@ensconce/fuse/protocol';
import type { Caller } from '@ensconce/fuse/request';
import type { Backing } from './backing.ts';
import type { Moment } from './clock.ts';
import { Contents, waitingCells } from './contents.ts';
import { Directories } from './directories.ts';
import { Inodes, rootInode } from './inodes.ts';
import type { Inode } from './inodes.ts';
import {
  cellKey,
  cellSize,
  inoOf,
  kind,
  numberAt,
  orphanKey,
  orphanOf,
  targetKey,
  volumeKind,
} from './key.ts';
import { blockSize, cellBytes, decodeCell } from './units.ts';
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
  /** Bytes that nothing refers to any more which the directory may hold before they are given back; 64 MiB unless given. */
  readonly deadBytes?: number;
}

const setuid = 0o4000;
const setgid = 0o2000;
const groupExecute = 0o010;
const renameNoReplace = 1;
const renameExchange = 2;
const fallocateKeepSize = 1;
const fallocatePunch = 2;
const fallocateZero = 0x10;
const seekData = 3;
const seekHole = 4;
const largestFile = 2 ** 52;
/** Cookies of READDIR: hash + 3, so that 0, 1 and 2 stand for `.`, `..` and the first name. */
const firstCookie = 3;
const defaultDeadBytes = 64 * 1024 * 1024;
/** How much compaction moves in one go, between requests. */
const movedAtOnce = 64 * 1024 * 1024;
/** Free space that is left for metadata and commits. */
const reserve = 16 * 1024 * 1024;

/** Puts the root directory into a new volume. */
export function makeRoot(volume: Volume, now: Moment, mode = 0o755, uid = 0, gid = 0): void {
  const inodes = new Inodes(volume);
  const root = inodes.create(fileType.directory | mode, uid, gid, now);
  root.links = 2;
  inodes.flush();
}

/** A volume as a file system: inode numbers are node ids, there are no handles. */
export class VolumeFilesystem implements Filesystem {
  readonly wishes = { explicitInvalidation: true, handleKillPrivilegesV2: true };
  readonly #volume: Volume;
  readonly #options: VolumeFilesystemOptions;
  readonly #inodes: Inodes;
  readonly #contents: Contents;
  readonly #directories: Directories;
  readonly #xattrs: Xattrs;
  readonly #now: () => Moment;
  /** How often the kernel has been told of a node. */
  readonly #lookups = new Map<number, number>();
  /** Files without a name that are still in use; true once the map knows of them. */
  readonly #orphans = new Map<number, boolean>();
  readonly #entry = new Entry();
  #connection: Connection | undefined;
  #dirtySince = -1;
  #compacts = true;
  #spaceCheck = 0;
  #full = false;

  constructor(options: VolumeFilesystemOptions) {
    this.#options = options;
    this.#volume = options.volume;
    this.#now = options.now;
    this.#inodes = new Inodes(options.volume);
    this.#contents = new Contents(options.volume, this.#inodes);
    this.#directories = new Directories(options.volume);
    this.#xattrs = new Xattrs(options.volume, this.#inodes);
    options.volume.prepare = () => this.#prepare();
    if (!options.readOnly) this.#removeOrphans();
  }

  /** Files that were in use without a name when the volume was last in use. */
  #removeOrphans(): void {
    const orphans: number[] = [];
    this.#volume.scan(orphanKey(0), (key) => {
      if (key[6] !== volumeKind.orphan) return false;
      orphans.push(orphanOf(key));
      return true;
    });
    for (const ino of orphans) {
      this.#orphans.set(ino, true);
      this.#remove(this.#inodes.get(ino));
    }
  }

  #prepare(): void {
    this.#contents.flush();
    for (const [ino, stored] of this.#orphans) {
      if (stored) continue;
      this.#volume.put(orphanKey(ino), new Uint8Array());
      this.#orphans.set(ino, true);
    }
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
    }, true);
  }

  tick(now: number): number {
    const interval = this.#options.commitInterval ?? 1000;
    this.#spaceCheck = 0;
    return Math.min(this.#volume.settlePromises(), this.#commitInTime(now, interval));
  }

  #commitInTime(now: number, interval: number): number {
    if (this.#dirtySince < 0) return 3_600_000;
    if (this.#dirtySince === 0) this.#dirtySince = now;
    const left = this.#dirtySince + interval - now;
    if (left > 0 && !this.#volume.wantsCommit) return left;
    this.#dirtySince = -1;
    this.#volume.commit((error) => {
      if (!error) {
        this.#compact();
        return;
      }
      this.#options.log(`a commit failed: ${error.message}`);
      this.#dirtySince = 0;
    });
    return interval;
  }

  /** Moves what little sparse segments hold, so that they can go. */
  #compact(): void {
    if (!this.#compacts) return;
    const { deadBytes = defaultDeadBytes } = this.#options;
    const segments = this.#volume.sparseSegments(deadBytes, movedAtOnce);
    if (segments.size === 0) return;
    const cells: [ino: number, cell: number][] = [];
    this.#volume.scan(cellKey(rootInode, 0), (key, value) => {
      if (key[6] === kind.cell && decodeCell(value).some(({ segment }) => segments.has(segment)))
        cells.push([inoOf(key), numberAt(key, 7, cellSize)]);
      return true;
    });
    try {
      for (const [ino, cell] of cells) this.#contents.move(this.#inodes.get(ino), cell, segments);
      this.#volume.movePages(segments);
    } catch (error) {
      // What is damaged stays where it is, for `check` to name; the rest was not touched.
      this.#compacts = false;
      this.#options.log(
        `compaction stops: ${error instanceof Error ? error.message : 'not an error was thrown'}`,
      );
    }
    this.#volume.commit((error) => error && this.#options.log(`a commit failed: ${error.message}`), true);
  }

  /** Something changes: refuses where that cannot be, makes room in memory, and sees to a commit. */
  #changing(bytes: number): void {
    if (this.#options.readOnly) throw new FuseErrno('EROFS');
    const { failure } = this.#volume;
    if (failure) throw new FuseErrno('EIO');
    if (this.#dirtySince < 0) this.#dirtySince = 0;
    if (bytes > 0) {
      if (this.#spaceCheck <= 0) {
        this.#full = this.#options.backing.space().free < reserve + this.#contents.waiting * cellBytes;
        this.#spaceCheck = reserve / 4;
      }
      this.#spaceCheck -= bytes;
      if (this.#full) throw new FuseErrno('ENOSPC');
    }
    if (this.#contents.waiting >= waitingCells) this.#orNoSpace(() => this.#contents.flush());
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
    attributes.ino = inode.ino;
    attributes.size = inode.size;
    // What waits may replace what is stored: the sum is an estimate until it is sealed.
    const blocks = Math.min(
      inode.blocks + this.#contents.waitingBlocks(inode.ino),
      Math.ceil(inode.size / blockSize),
    );
    attributes.blocks = blocks * (blockSize / 512);
    attributes.atime = inode.atime.seconds;
    attributes.atimeNanoseconds = inode.atime.nanoseconds;
    attributes.mtime = inode.mtime.seconds;
    attributes.mtimeNanoseconds = inode.mtime.nanoseconds;
    attributes.ctime = inode.ctime.seconds;
    attributes.ctimeNanoseconds = inode.ctime.nanoseconds;
    attributes.mode = inode.mode;
    attributes.links = inode.links;
    attributes.uid = inode.uid;
    attributes.gid = inode.gid;
    attributes.rdev = inode.rdev;
    attributes.validity = forEver;
  }

  /** Tells the kernel of a node, which counts. */
  #enter(inode: Inode, entry: Entry): number {
    entry.node = inode.ino;
    entry.validity = forEver;
    this.#fill(inode, entry.attributes);
    this.#lookups.set(inode.ino, (this.#lookups.get(inode.ino) ?? 0) + 1);
    return 0;
  }

  lookup(parent: number, name: Uint8Array, entry: Entry): number {
    const found = this.#directories.lookup(parent, name);
    if (found) return this.#enter(this.#inodes.get(found.ino), entry);
    entry.node = 0;
    entry.validity = forEver;
    return 0;
  }

  forget(node: number, count: number): void {
    const left = (this.#lookups.get(node) ?? 0) - count;
    if (left > 0) {
      this.#lookups.set(node, left);
      return;
    }
    this.#lookups.delete(node);
    if (this.#orphans.has(node) && !this.#volume.failure) this.#remove(this.#inodes.get(node));
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
    const inode = this.#inodes.get(node);
    const { valid } = change;
    this.#changing(0);
    const now = this.#now();
    if (valid & setAttribute.SIZE) {
      if (change.size > largestFile) return -errno.EFBIG;
      this.#contents.truncate(inode, change.size);
      inode.mtime = now;
    }
    if (valid & setAttribute.MODE) inode.mode = (inode.mode & fileType.mask) | (change.mode & 0o7777);
    if (valid & setAttribute.UID) inode.uid = change.uid;
    if (valid & setAttribute.GID) inode.gid = change.gid;
    const owned = valid & (setAttribute.UID | setAttribute.GID) && !(valid & setAttribute.MODE);
    if (owned || valid & setAttribute.KILL_SUIDGID) this.#dropPrivileges(inode);
    if (valid & setAttribute.ATIME_NOW) inode.atime = now;
    else if (valid & setAttribute.ATIME)
      inode.atime = { seconds: change.atime, nanoseconds: change.atimeNanoseconds };
    if (valid & setAttribute.MTIME_NOW) inode.mtime = now;
    else if (valid & setAttribute.MTIME)
      inode.mtime = { seconds: change.mtime, nanoseconds: change.mtimeNanoseconds };
    inode.ctime = now;
    this.#inodes.changed(inode);
    this.#fill(inode, attributes);
    return 0;
  }

  statfs(_node: number, statistics: Statistics): number {
    const { free, total } = this.#options.backing.space();
    const available = Math.max(0, Math.floor((free - reserve) / blockSize));
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

  /** A new file under a name that the kernel knows to be free. */
  #make(parent: number, name: Uint8Array, mode: number, entry: Entry, caller: Caller): Inode | number {
    this.#changing(blockSize);
    const directory = this.#inodes.get(parent);
    if (directory.links === 0) return -errno.ENOENT;
    const isDirectory = (mode & fileType.mask) === fileType.directory;
    const inherits = (directory.mode & setgid) !== 0;
    const now = this.#now();
    const inode = this.#inodes.create(
      inherits && isDirectory ? mode | setgid : mode,
      caller.uid,
      inherits ? directory.gid : caller.gid,
      now,
    );
    inode.links = isDirectory ? 2 : 1;
    if (!this.#directories.add(parent, name, { ino: inode.ino, type: (mode & fileType.mask) >>> 12 })) {
      this.#inodes.remove(inode);
      return -errno.ENOSPC;
    }
    if (isDirectory) directory.links++;
    this.#touchDirectory(directory, 1, now);
    this.#enter(inode, entry);
    return inode;
  }

  #touchDirectory(directory: Inode, difference: number, now: Moment): void {
    directory.size += difference;
    directory.mtime = directory.ctime = now;
    this.#inodes.changed(directory);
  }

  mknod(parent: number, name: Uint8Array, mode: number, rdev: number, entry: Entry, caller: Caller): number {
    const made = this.#make(parent, name, mode, entry, caller);
    if (typeof made === 'number') return made;
    made.rdev = rdev;
    entry.attributes.rdev = rdev;
    return 0;
  }

  mkdir(parent: number, name: Uint8Array, mode: number, entry: Entry, caller: Caller): number {
    const made = this.#make(parent, name, fileType.directory | (mode & 0o7777), entry, caller);
    return typeof made === 'number' ? made : 0;
  }

  symlink(parent: number, name: Uint8Array, target: Uint8Array, entry: Entry, caller: Caller): number {
    if (target.length > 3800) return -errno.ENAMETOOLONG;
    const made = this.#make(parent, name, fileType.symlink | 0o777, entry, caller);
    if (typeof made === 'number') return made;
    made.size = target.length;
    entry.attributes.size = target.length;
    this.#volume.put(targetKey(made.ino), target);
    return 0;
  }

  link(node: number, parent: number, name: Uint8Array, entry: Entry): number {
    this.#changing(blockSize);
    const inode = this.#inodes.get(node);
    const directory = this.#inodes.get(parent);
    // A file without a name gets none again: it may be on its way out.
    if (inode.links === 0 || directory.links === 0) return -errno.ENOENT;
    if (inode.links >= 0xffff_0000) return -errno.EMLINK;
    if (!this.#directories.add(parent, name, { ino: node, type: (inode.mode & fileType.mask) >>> 12 }))
      return -errno.ENOSPC;
    const now = this.#now();
    inode.links++;
    inode.ctime = now;
    this.#inodes.changed(inode);
    this.#touchDirectory(directory, 1, now);
    return this.#enter(inode, entry);
  }

  /** One name less for a file; without names it goes when nobody uses it any more. */
  #unlink(inode: Inode, now: Moment): void {
    const isDirectory = (inode.mode & fileType.mask) === fileType.directory;
    inode.links = isDirectory ? 0 : inode.links - 1;
    inode.ctime = now;
    this.#inodes.changed(inode);
    if (inode.links > 0) return;
    this.#orphans.set(inode.ino, false);
    if (!this.#lookups.has(inode.ino)) this.#remove(inode);
  }

  #remove(inode: Inode): void {
    if (this.#orphans.get(inode.ino)) this.#volume.delete(orphanKey(inode.ino));
    this.#orphans.delete(inode.ino);
    this.#contents.remove(inode);
    this.#xattrs.removeAll(inode);
    if ((inode.mode & fileType.mask) === fileType.symlink) this.#volume.delete(targetKey(inode.ino));
    this.#inodes.remove(inode);
    if (this.#dirtySince < 0) this.#dirtySince = 0;
  }

  unlink(parent: number, name: Uint8Array): number {
    this.#changing(0);
    const found = this.#directories.lookup(parent, name);
    if (!found) return -errno.ENOENT;
    const now = this.#now();
    this.#directories.remove(parent, name);
    this.#touchDirectory(this.#inodes.get(parent), -1, now);
    this.#unlink(this.#inodes.get(found.ino), now);
    return 0;
  }

  rmdir(parent: number, name: Uint8Array): number {
    this.#changing(0);
    const found = this.#directories.lookup(parent, name);
    if (!found) return -errno.ENOENT;
    const inode = this.#inodes.get(found.ino);
    if ((inode.mode & fileType.mask) !== fileType.directory) return -errno.ENOTDIR;
    if (inode.size > 0) return -errno.ENOTEMPTY;
    const now = this.#now();
    this.#directories.remove(parent, name);
    const directory = this.#inodes.get(parent);
    directory.links--;
    this.#touchDirectory(directory, -1, now);
    this.#unlink(inode, now);
    return 0;
  }

  rename(parent: number, name: Uint8Array, newParent: number, newName: Uint8Array, flags: number): number {
    if (flags & ~(renameNoReplace | renameExchange)) return -errno.EINVAL;
    this.#changing(0);
    const source = this.#directories.lookup(parent, name);
    const target = this.#directories.lookup(newParent, newName);
    if (!source) return -errno.ENOENT;
    if (target && flags & renameNoReplace) return -errno.EEXIST;
    if (!target && flags & renameExchange) return -errno.ENOENT;
    const now = this.#now();
    const isDirectory = (entry: { type: number }): boolean => entry.type === fileType.directory >>> 12;
    const from = this.#inodes.get(parent);
    const to = parent === newParent ? from : this.#inodes.get(newParent);
    if (to.links === 0) return -errno.ENOENT;
    const moved = this.#inodes.get(source.ino);
    if (target && flags & renameExchange) {
      this.#directories.replace(parent, name, target);
      this.#directories.replace(newParent, newName, source);
      const change = Number(isDirectory(target)) - Number(isDirectory(source));
      from.links += change;
      to.links -= change;
      this.#touchInode(this.#inodes.get(target.ino), now);
    } else {
      if (target && target.ino === source.ino) return 0;
      const replaced = target && this.#inodes.get(target.ino);
      if (target && replaced) {
        if (isDirectory(target) && replaced.size > 0) return -errno.ENOTEMPTY;
        if (isDirectory(target) !== isDirectory(source))
          return isDirectory(target) ? -errno.EISDIR : -errno.ENOTDIR;
        this.#directories.replace(newParent, newName, source);
        if (isDirectory(target)) to.links--;
      } else if (!this.#directories.add(newParent, newName, source)) return -errno.ENOSPC;
      this.#directories.remove(parent, name);
      this.#touchDirectory(from, -1, now);
      if (!target) this.#touchDirectory(to, 1, now);
      if (isDirectory(source)) {
        from.links--;
        to.links++;
      }
      if (replaced) this.#unlink(replaced, now);
    }
    this.#touchDirectory(from, 0, now);
    this.#touchDirectory(to, 0, now);
    this.#touchInode(moved, now);
    return 0;
  }

  #touchInode(inode: Inode, now: Moment): void {
    inode.ctime = now;
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
    try {
      this.#orNoSpace(() => this.#contents.write(inode, offset, length, from, at));
    } catch (error) {
      // What was taken of it lies beyond the end, and must not show when the file grows.
      const start = Math.max(offset, roundUp(inode.size));
      if (start < offset + length) this.#contents.punch(inode, start, roundUp(offset + length));
      throw error;
    }
    if (offset + length > inode.size) inode.size = offset + length;
    if (flags & writeFlag.KILL_SUIDGID) this.#dropPrivileges(inode);
    inode.mtime = inode.ctime = this.#now();
    this.#inodes.changed(inode);
    return length;
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
    } else if (length > this.#options.backing.space().free - reserve) return -errno.ENOSPC;
    if (!(mode & fallocateKeepSize) && end > inode.size) inode.size = end;
    // Unlike with WRITE and SETATTR the kernel does not say whether the caller may keep them (CAP_FSETID): root may.
    if (caller.uid === 0) this.#xattrs.dropCapability(inode);
    else this.#dropPrivileges(inode);
    inode.mtime = inode.ctime = this.#now();
    this.#inodes.changed(inode);
    return 0;
  }

  lseek(node: number, _handle: number, offset: number, whence: number): number {
    if (whence !== seekData && whence !== seekHole) return -errno.EINVAL;
    return this.#contents.seek(this.#inodes.get(node), offset, whence === seekData) ?? -errno.ENXIO;
  }

  fsync(_node: number, _handle: number, _dataOnly: boolean, caller: Caller): number {
    if (this.#options.readOnly) return 0;
    const { unique } = caller;
    let result: number | undefined;
    let waited = false;
    this.#dirtySince = -1;
    this.#volume.commit((error) => {
      result = error ? (error.code === 'VOLUME_FULL' ? -errno.ENOSPC : -errno.EIO) : 0;
      if (error) {
        this.#dirtySince = 0;
        this.#options.log(`a commit failed: ${error.message}`);
      }
      if (waited) this.#connection?.reply(unique, result);
    });
    waited = true;
    return result ?? deferred;
  }

  fsyncdir(node: number, handle: number, dataOnly: boolean, caller: Caller): number {
    return this.fsync(node, handle, dataOnly, caller);
  }

  readdir(node: number, _handle: number, offset: number, writer: DirectoryWriter): number {
    if (offset < 2 && !writer.addDots(offset, node)) return 0;
    const entry = this.#entry;
    const from = offset < firstCookie ? 0 : offset - firstCookie + 1;
    this.#directories.list(node, from, (hash, entries) => {
      const position = writer.position;
      // Names of one hash share a cookie: all of them or none.
      const fits = entries.every(({ name, ino, type }) => {
        if (!writer.plus) return writer.add(name, ino, type << 12, hash + firstCookie);
        entry.node = ino;
        entry.validity = forEver;
        this.#fill(this.#inodes.get(ino), entry.attributes);
        return writer.addEntry(name, entry, hash + firstCookie);
      });
      if (!fits) writer.backTo(position);
      else if (writer.plus)
        for (const { ino } of entries) this.#lookups.set(ino, (this.#lookups.get(ino) ?? 0) + 1);
      return fits;
    });
    return 0;
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
