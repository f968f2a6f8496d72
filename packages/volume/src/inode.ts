import type { Moment } from './clock.ts';
import { VolumeError } from './errors.ts';

export const inodeSize = 80;

/** A file of any type. Changes count when `Inodes.changed` has been told of them. */
export class Inode {
  ino = 0;
  /** Type and permission bits. */
  mode = 0;
  uid = 0;
  gid = 0;
  links = 0;
  /** Bytes; of a directory the number of entries. */
  size = 0;
  /** Blocks of 4 KiB that hold data. */
  blocks = 0;
  rdev = 0;
  /** Times: whole seconds and nanoseconds. */
  atime = 0;
  atimeNanoseconds = 0;
  mtime = 0;
  mtimeNanoseconds = 0;
  ctime = 0;
  ctimeNanoseconds = 0;
  /** How many extended attributes there are. */
  xattrs = 0;
  /** Not yet in the map. */
  dirty = false;
  /** No longer in memory: `Inodes` will use the object for another file. */
  dropped = false;

  setAccess({ seconds, nanoseconds }: Moment): void {
    this.atime = seconds;
    this.atimeNanoseconds = nanoseconds;
  }

  setModification({ seconds, nanoseconds }: Moment): void {
    this.mtime = seconds;
    this.mtimeNanoseconds = nanoseconds;
  }

  setChange({ seconds, nanoseconds }: Moment): void {
    this.ctime = seconds;
    this.ctimeNanoseconds = nanoseconds;
  }
}

export function putWide(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setInt32(at + 4, Math.floor(value / 0x1_0000_0000), true);
}

export function getWide(view: DataView, at: number): number {
  return view.getInt32(at + 4, true) * 0x1_0000_0000 + view.getUint32(at, true);
}

/** Writes the `inodeSize` bytes of an inode (docs/formats/volume.md, "Inode"). */
export function encodeInode(inode: Inode, view: DataView): void {
  view.setUint32(0, inode.mode, true);
  view.setUint32(4, inode.uid, true);
  view.setUint32(8, inode.gid, true);
  view.setUint32(12, inode.links, true);
  putWide(view, 16, inode.size);
  putWide(view, 24, inode.blocks);
  view.setUint32(32, inode.rdev, true);
  view.setUint32(36, inode.xattrs, true);
  putWide(view, 40, inode.atime);
  view.setUint32(48, inode.atimeNanoseconds, true);
  putWide(view, 52, inode.mtime);
  view.setUint32(60, inode.mtimeNanoseconds, true);
  putWide(view, 64, inode.ctime);
  view.setUint32(72, inode.ctimeNanoseconds, true);
  view.setUint32(76, 0, true);
}

/**
 * Reads the value of an inode into `inode`.
 *
 * @throws VolumeError `VOLUME_DAMAGED`
 */
export function decodeInode(ino: number, value: Uint8Array, inode = new Inode()): Inode {
  if (value.length !== inodeSize)
    throw new VolumeError(
      'VOLUME_DAMAGED',
      `inode ${ino}: ${inodeSize} bytes expected, ${value.length} found`,
    );
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  inode.ino = ino;
  inode.mode = view.getUint32(0, true);
  inode.uid = view.getUint32(4, true);
  inode.gid = view.getUint32(8, true);
  inode.links = view.getUint32(12, true);
  inode.size = getWide(view, 16);
  inode.blocks = getWide(view, 24);
  inode.rdev = view.getUint32(32, true);
  inode.xattrs = view.getUint32(36, true);
  inode.atime = getWide(view, 40);
  inode.atimeNanoseconds = view.getUint32(48, true);
  inode.mtime = getWide(view, 52);
  inode.mtimeNanoseconds = view.getUint32(60, true);
  inode.ctime = getWide(view, 64);
  inode.ctimeNanoseconds = view.getUint32(72, true);
  inode.dirty = inode.dropped = false;
  return inode;
}
