import type { Attributes } from '@ensconce/fuse/attributes';
import { Entry, forEver } from '@ensconce/fuse/attributes';
import type { DirectoryWriter } from '@ensconce/fuse/directory';
import { errno } from '@ensconce/fuse/errno';
import { fileType } from '@ensconce/fuse/protocol';
import type { Caller } from '@ensconce/fuse/request';
import type { Moment } from './clock.ts';
import type { Contents } from './contents.ts';
import { Directories } from './directories.ts';
import type { Inode } from './inode.ts';
import { fillAttributes } from './inode-attributes.ts';
import type { Inodes } from './inodes.ts';
import { targetKey } from './key.ts';
import { LookupCounts } from './lookup-counts.ts';
import { Orphans } from './orphans.ts';
import { blockSize } from './units.ts';
import type { Volume } from './volume.ts';
import type { Xattrs } from './xattrs.ts';

const setgid = 0o2000;
const renameNoReplace = 1;
const renameExchange = 2;
/** Cookies of READDIR: hash + 3, so that 0, 1 and 2 stand for `.`, `..` and the first name. */
const firstCookie = 3;
const longestTarget = 3800;

export interface NamesOptions {
  readonly volume: Volume;
  readonly inodes: Inodes;
  readonly contents: Contents;
  readonly xattrs: Xattrs;
  readonly now: () => Moment;
  /** Called before each change, with about how many bytes it takes; throws where that cannot be. */
  readonly changing: (bytes: number) => void;
  /** A file went away: a commit is due. */
  readonly removed: () => void;
}

/** The names of a volume's files as the kernel sees them: files come with their first name and go with their last. */
export class Names {
  readonly #volume: Volume;
  readonly #inodes: Inodes;
  readonly #contents: Contents;
  readonly #xattrs: Xattrs;
  readonly #now: () => Moment;
  readonly #changing: (bytes: number) => void;
  readonly #removed: () => void;
  readonly #directories: Directories;
  /** How often the kernel has been told of a node. */
  readonly #lookups = new LookupCounts();
  readonly #orphans: Orphans;
  readonly #entry = new Entry();

  constructor(options: NamesOptions) {
    this.#volume = options.volume;
    this.#inodes = options.inodes;
    this.#contents = options.contents;
    this.#xattrs = options.xattrs;
    this.#now = options.now;
    this.#changing = options.changing;
    this.#removed = options.removed;
    this.#directories = new Directories(options.volume);
    this.#orphans = new Orphans(options.volume);
  }

  /** Removes files that were in use without a name when the volume was last in use. */
  removeOrphans(): void {
    for (const ino of this.#orphans.load()) this.#remove(this.#inodes.get(ino));
  }

  /** Puts into the map what a mount after a crash has to know. */
  flush(): void {
    this.#orphans.flush();
  }

  #fill(inode: Inode, attributes: Attributes): void {
    fillAttributes(inode, this.#contents.waitingBlocks(inode.ino), attributes);
  }

  /** Tells the kernel of a node, which counts. */
  #enter(inode: Inode, entry: Entry): number {
    entry.node = inode.ino;
    entry.validity = forEver;
    this.#fill(inode, entry.attributes);
    this.#lookups.add(inode.ino);
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
    if (this.#lookups.subtract(node, count) > 0) return;
    if (this.#orphans.has(node) && !this.#volume.failure) this.#remove(this.#inodes.get(node));
  }

  /** A new file that belongs into a directory (inode(7): whose group it has), still without a name. */
  #born(directory: Inode, mode: number, now: Moment, caller: Caller): Inode {
    const inherits = (directory.mode & setgid) !== 0;
    const isDirectory = (mode & fileType.mask) === fileType.directory;
    return this.#inodes.create(
      inherits && isDirectory ? mode | setgid : mode,
      caller.uid,
      inherits ? directory.gid : caller.gid,
      now,
    );
  }

  /** A new file under a name that the kernel knows to be free. */
  #make(parent: number, name: Uint8Array, mode: number, entry: Entry, caller: Caller): Inode | number {
    this.#changing(blockSize);
    const directory = this.#inodes.get(parent);
    if (directory.links === 0) return -errno.ENOENT;
    const isDirectory = (mode & fileType.mask) === fileType.directory;
    const now = this.#now();
    const inode = this.#born(directory, mode, now, caller);
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

  /** O_TMPFILE: a new file that goes with its last user unless `link` gives it a name before. */
  tmpfile(parent: number, mode: number, entry: Entry, caller: Caller): number {
    this.#changing(blockSize);
    const directory = this.#inodes.get(parent);
    if (directory.links === 0) return -errno.ENOENT;
    const inode = this.#born(directory, fileType.file | (mode & 0o7777), this.#now(), caller);
    this.#orphans.add(inode.ino);
    return this.#enter(inode, entry);
  }

  #touchDirectory(directory: Inode, difference: number, now: Moment): void {
    directory.size += difference;
    directory.setModification(now);
    directory.setChange(now);
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
    if (target.length > longestTarget) return -errno.ENAMETOOLONG;
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
    if (directory.links === 0) return -errno.ENOENT;
    // Without a name are those of O_TMPFILE, which may get one, and unlinked ones, of which the kernel asks for none.
    if (inode.links === 0 && !this.#orphans.has(node)) return -errno.ENOENT;
    if (inode.links >= 0xffff_0000) return -errno.EMLINK;
    if (!this.#directories.add(parent, name, { ino: node, type: (inode.mode & fileType.mask) >>> 12 }))
      return -errno.ENOSPC;
    const now = this.#now();
    inode.links++;
    this.#orphans.delete(node);
    inode.setChange(now);
    this.#inodes.changed(inode);
    this.#touchDirectory(directory, 1, now);
    return this.#enter(inode, entry);
  }

  /** One name less for a file; without names it goes when nobody uses it any more. */
  #unlink(inode: Inode, now: Moment): void {
    const isDirectory = (inode.mode & fileType.mask) === fileType.directory;
    inode.links = isDirectory ? 0 : inode.links - 1;
    inode.setChange(now);
    this.#inodes.changed(inode);
    if (inode.links > 0) return;
    this.#orphans.add(inode.ino);
    if (this.#lookups.get(inode.ino) === 0) this.#remove(inode);
  }

  #remove(inode: Inode): void {
    this.#orphans.delete(inode.ino);
    this.#contents.remove(inode);
    this.#xattrs.removeAll(inode);
    if ((inode.mode & fileType.mask) === fileType.symlink) this.#volume.delete(targetKey(inode.ino));
    this.#inodes.remove(inode);
    this.#removed();
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
    inode.setChange(now);
    this.#inodes.changed(inode);
  }

  readdir(node: number, offset: number, writer: DirectoryWriter): number {
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
      else if (writer.plus) for (const { ino } of entries) this.#lookups.add(ino);
      return fits;
    });
    return 0;
  }
}
