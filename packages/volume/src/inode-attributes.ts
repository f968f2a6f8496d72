import type { Attributes } from '@ensconce/fuse/attributes';
import { forEver } from '@ensconce/fuse/attributes';
import type { Inode } from './inode.ts';
import { blockSize } from './units.ts';

/** What stat(2) tells of an inode; `waiting` of its blocks are not sealed yet. */
export function fillAttributes(inode: Inode, waiting: number, attributes: Attributes): void {
  attributes.ino = inode.ino;
  attributes.size = inode.size;
  // What waits may replace what is stored: the sum is an estimate until it is sealed.
  const blocks = Math.min(inode.blocks + waiting, Math.ceil(inode.size / blockSize));
  attributes.blocks = blocks * (blockSize / 512);
  attributes.atime = inode.atime;
  attributes.atimeNanoseconds = inode.atimeNanoseconds;
  attributes.mtime = inode.mtime;
  attributes.mtimeNanoseconds = inode.mtimeNanoseconds;
  attributes.ctime = inode.ctime;
  attributes.ctimeNanoseconds = inode.ctimeNanoseconds;
  attributes.mode = inode.mode;
  attributes.links = inode.links;
  attributes.uid = inode.uid;
  attributes.gid = inode.gid;
  attributes.rdev = inode.rdev;
  attributes.validity = forEver;
}
