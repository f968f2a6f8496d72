import { FuseErrno } from '@ensconce/fuse/errno';
import type { Moment } from './clock.ts';
import { decodeInode, encodeInode, getWide, Inode, inodeSize, putWide } from './inode.ts';
import { countersKey, inodeKey } from './key.ts';
import type { Volume } from './volume.ts';

export const rootInode = 1;
/** How many may be in memory, each at the place that its number gives: more than there are files with waiting cells. */
const places = 2048;
const empty = new Uint8Array(inodeSize);

/** The inodes of a volume: some in memory, changed ones until they are put into the map. */
export class Inodes {
  readonly #volume: Volume;
  readonly #known: (Inode | undefined)[] = Array.from({ length: places });
  /** Those that changed since the last flush, and some that were put into the map meanwhile. */
  readonly #changed: Inode[] = [];
  /** Those that made room; an operation may still hold them until `settle`. */
  readonly #dropped: Inode[] = [];
  /** Objects to be used again: inodes come and go too fast for the garbage collector. */
  readonly #spare: Inode[] = [];
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
    const known = this.#known[ino % places];
    if (known?.ino === ino) return known;
    const value = this.#volume.get(inodeKey(ino));
    if (!value) throw new FuseErrno('ESTALE');
    const inode = decodeInode(ino, value, this.#spare.pop());
    this.#place(inode);
    return inode;
  }

  #place(inode: Inode): void {
    const place = inode.ino % places;
    const old = this.#known[place];
    if (old === inode) return;
    if (old) {
      this.#store(old);
      this.#drop(old);
    }
    this.#known[place] = inode;
  }

  #drop(inode: Inode): void {
    if (inode.dropped || this.#dropped.length >= places) return;
    inode.dropped = true;
    this.#dropped.push(inode);
  }

  /** No operation is under way: nobody else holds an inode. */
  settle(): void {
    if (this.#dropped.length === 0) return;
    for (const inode of this.#dropped) {
      inode.dropped = false;
      if (this.#known[inode.ino % places] !== inode && this.#spare.length < places) this.#spare.push(inode);
    }
    this.#dropped.length = 0;
  }

  create(mode: number, uid: number, gid: number, now: Moment): Inode {
    const inode = decodeInode(this.#next++, empty, this.#spare.pop());
    this.#count++;
    this.#countersChanged = true;
    inode.mode = mode;
    inode.uid = uid;
    inode.gid = gid;
    inode.setAccess(now);
    inode.setModification(now);
    inode.setChange(now);
    this.changed(inode);
    return inode;
  }

  changed(inode: Inode): void {
    if (inode.dirty) return;
    // It may have made room since the operation got it.
    this.#place(inode);
    inode.dirty = true;
    this.#changed.push(inode);
  }

  remove(inode: Inode): void {
    inode.dirty = false;
    if (this.#known[inode.ino % places] === inode) this.#known[inode.ino % places] = undefined;
    this.#drop(inode);
    this.#volume.delete(inodeKey(inode.ino));
    this.#count--;
    this.#countersChanged = true;
  }

  #store(inode: Inode): void {
    if (!inode.dirty) return;
    encodeInode(inode, this.#view);
    this.#volume.put(inodeKey(inode.ino), this.#bytes);
    inode.dirty = false;
  }

  /** Puts everything that changed into the map. */
  flush(): void {
    for (const inode of this.#changed) this.#store(inode);
    this.#changed.length = 0;
    if (!this.#countersChanged) return;
    const counters = new Uint8Array(16);
    const view = new DataView(counters.buffer);
    putWide(view, 0, this.#next);
    putWide(view, 8, this.#count);
    this.#volume.put(countersKey, counters);
    this.#countersChanged = false;
  }
}
