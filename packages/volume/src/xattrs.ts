import { errno } from '@ensconce/fuse/errno';
import type { Inode } from './inode.ts';
import type { Inodes } from './inodes.ts';
import { isOf, kind, xattrKey } from './key.ts';
import { longestValue } from './page.ts';
import type { Volume } from './volume.ts';

const create = 1;
const replace = 2;
/** So that the key of an attribute fits a page's. */
const longestName = 240;
const largestValue = 64 * 1024;
/** Access lists, which the kernel would store and not obey, and labels of a security module that FUSE has none of. */
const unsupported = [Buffer.from('system.'), Buffer.from('security.selinux')];
const capability = Buffer.from('security.capability');

/** Names that are answered with EOPNOTSUPP: programs like ls then ask once for a file system, not once for a file. */
export function isSupported(name: Uint8Array): boolean {
  return !unsupported.some((prefix) => Buffer.compare(name.subarray(0, prefix.length), prefix) === 0);
}

/** The extended attributes of a volume's files. */
export class Xattrs {
  readonly #volume: Volume;
  readonly #inodes: Inodes;

  constructor(volume: Volume, inodes: Inodes) {
    this.#volume = volume;
    this.#inodes = inodes;
  }

  get(inode: Inode, name: Uint8Array): Uint8Array | undefined {
    return inode.xattrs === 0 || name.length > longestName
      ? undefined
      : this.#volume.get(xattrKey(inode.ino, name));
  }

  /** Returns 0 or a negative error number. */
  set(inode: Inode, name: Uint8Array, value: Uint8Array, flags: number): number {
    if (!isSupported(name)) return -errno.EOPNOTSUPP;
    if (name.length > longestName) return -errno.ERANGE;
    if (value.length > largestValue) return -errno.E2BIG;
    if (value.length > longestValue) return -errno.ENOSPC;
    const known = this.get(inode, name) !== undefined;
    if (flags & create && known) return -errno.EEXIST;
    if (flags & replace && !known) return -errno.ENODATA;
    this.#volume.put(xattrKey(inode.ino, name), value);
    if (!known) inode.xattrs++;
    this.#inodes.changed(inode);
    return 0;
  }

  /** Whether there was such an attribute. */
  remove(inode: Inode, name: Uint8Array): boolean {
    if (this.get(inode, name) === undefined) return false;
    this.#volume.delete(xattrKey(inode.ino, name));
    inode.xattrs--;
    this.#inodes.changed(inode);
    return true;
  }

  names(inode: Inode): Uint8Array[] {
    const names: Uint8Array[] = [];
    if (inode.xattrs === 0) return names;
    this.#volume.scan(xattrKey(inode.ino, new Uint8Array()), (key) => {
      if (!isOf(key, inode.ino, kind.xattr)) return false;
      names.push(key.slice(7));
      return true;
    });
    return names;
  }

  removeAll(inode: Inode): void {
    for (const name of this.names(inode)) this.#volume.delete(xattrKey(inode.ino, name));
    inode.xattrs = 0;
  }

  /** File capabilities do not survive a change of owner or contents (capabilities(7)). */
  dropCapability(inode: Inode): void {
    if (inode.xattrs > 0) this.remove(inode, capability);
  }
}
