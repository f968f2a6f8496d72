import { FuseErrno } from '@ensconce/fuse/errno';
import type { Moment } from './clock.ts';
import { VolumeError } from './errors.ts';
import { countersKey, inodeKey } from './key.ts';
import type { Volume } from './volume.ts';

export const rootInode = 1;
const inodeSize = 80;
const cached = 4096;

/** A file of any type. Changes count when `Inodes.changed` has been told of them. */
export class Inode {
  readonly ino: number;
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
  atime: Moment = { seconds: 0, nanoseconds: 0 };
  mtime = this.atime;
  ctime = this.atime;
  /** How many extended attributes there are. */
  xattrs = 0;
  dirty = false;

  constructor(ino: number) {
    this.ino = ino;
  }
}

function encode(inode: Inode, bytes: Uint8Array, view: DataView): void {
  view.setUint32(0, inode.mode, true);
  view.setUint32(4, inode.uid, true);
  view.setUint32(8, inode.gid, true);
  view.setUint32(12, inode.links, true);
  putWide(view, 16, inode.size);
  putWide(view, 24, inode.blocks);
  view.setUint32(32, inode.rdev, true);
  view.setUint32(36, inode.xattrs, true);
  [inode.atime, inode.mtime, inode.ctime].forEach((moment, i) => {
    putWide(view, 40 + i * 12, moment.seconds);
    view.setUint32(48 + i * 12, moment.nanoseconds, true);
  });
  bytes.fill(0, 76);
}

function putWide(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setInt32(at + 4, Math.floor(value / 0x1_0000_0000), true);
}

function getWide(view: DataView, at: number): number {
  return view.getInt32(at + 4, true) * 0x1_0000_0000 + view.getUint32(at, true);
}

export function decodeInode(ino: number, value: Uint8Array): Inode {
  if (value.length !== inodeSize)
    throw new VolumeError(
      'VOLUME_DAMAGED',
      `inode ${ino}: ${inodeSize} bytes expected, ${value.length} found`,
    );
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  const inode = new Inode(ino);
  inode.mode = view.getUint32(0, true);
  inode.uid = view.getUint32(4, true);
  inode.gid = view.getUint32(8, true);
  inode.links = view.getUint32(12, true);
  inode.size = getWide(view, 16);
  inode.blocks = getWide(view, 24);
  inode.rdev = view.getUint32(32, true);
  inode.xattrs = view.getUint32(36, true);
  const moment = (at: number): Moment => ({
    seconds: getWide(view, at),
    nanoseconds: view.getUint32(at + 8, true),
  });
  inode.atime = moment(40);
  inode.mtime = moment(52);
  inode.ctime = moment(64);
  return inode;
}

/** The inodes of a volume: some in memory, changed ones until they are put into the map. */
export class Inodes {
  readonly #volume: Volume;
  readonly #known = new Map<number, Inode>();
  readonly #dirty = new Set<Inode>();
  readonly #bytes = new Uint8Array(inodeSize);
  readonly #view = new DataView(this.#bytes.buffer);
  #next: number;
  #count: number;
  #countersChanged = false;

  constructor(volume: Volume) {
    this.#volume = volume;
    const counters = volume.get(countersKey);
    const view = counters && new DataView(counters.buffer, counters.byteOffset, counters.byteLength);
    this.#next = view ? getWide(view, 0) : rootInode;
    this.#count = view ? getWide(view, 8) : 0;
  }

  get count(): number {
    return this.#count;
  }

  /** @throws FuseErrno ESTALE where there is none */
  get(ino: number): Inode {
    const known = this.#known.get(ino);
    if (known) return known;
    const value = this.#volume.get(inodeKey(ino));
    if (!value) throw new FuseErrno('ESTALE');
    const inode = decodeInode(ino, value);
    this.#remember(inode);
    return inode;
  }

  #remember(inode: Inode): void {
    this.#known.set(inode.ino, inode);
    if (this.#known.size <= cached) return;
    let excess = 64;
    for (const old of this.#known.values()) {
      if (old === inode) break;
      this.#store(old);
      this.#known.delete(old.ino);
      if (--excess === 0) break;
    }
  }

  create(mode: number, uid: number, gid: number, now: Moment): Inode {
    const inode = new Inode(this.#next++);
    this.#count++;
    this.#countersChanged = true;
    inode.mode = mode;
    inode.uid = uid;
    inode.gid = gid;
    inode.atime = inode.mtime = inode.ctime = now;
    this.#remember(inode);
    this.changed(inode);
    return inode;
  }

  changed(inode: Inode): void {
    // It may have been dropped since the operation got it.
    this.#known.set(inode.ino, inode);
    if (inode.dirty) return;
    inode.dirty = true;
    this.#dirty.add(inode);
  }

  remove(inode: Inode): void {
    this.#dirty.delete(inode);
    inode.dirty = false;
    this.#known.delete(inode.ino);
    this.#volume.delete(inodeKey(inode.ino));
    this.#count--;
    this.#countersChanged = true;
  }

  #store(inode: Inode): void {
    if (!inode.dirty) return;
    encode(inode, this.#bytes, this.#view);
    this.#volume.put(inodeKey(inode.ino), this.#bytes);
    inode.dirty = false;
    this.#dirty.delete(inode);
  }

  get changedCount(): number {
    return this.#dirty.size;
  }

  /** Puts everything that changed into the map. */
  flush(): void {
    for (const inode of this.#dirty) this.#store(inode);
    if (!this.#countersChanged) return;
    const counters = new Uint8Array(16);
    const view = new DataView(counters.buffer);
    putWide(view, 0, this.#next);
    putWide(view, 8, this.#count);
    this.#volume.put(countersKey, counters);
    this.#countersChanged = false;
  }
}
