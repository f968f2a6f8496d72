import { attributesSize } from './protocol.ts';

/** What stat(2) tells of a node. File systems fill in the one object they are handed. */
export class Attributes {
  ino = 0;
  /** Bytes. */
  size = 0;
  /** Units of 512 bytes. */
  blocks = 0;
  /** Times: whole seconds (negative before 1970) and nanoseconds. */
  atime = 0;
  atimeNanoseconds = 0;
  mtime = 0;
  mtimeNanoseconds = 0;
  ctime = 0;
  ctimeNanoseconds = 0;
  /** File type and permission bits. */
  mode = 0;
  links = 1;
  uid = 0;
  gid = 0;
  /** Device number, see `encodeDevice`. */
  rdev = 0;
  /** Preferred size of transfers, bytes. */
  blockSize = 4096;
  /** Seconds for which the kernel may answer from its cache. */
  validity = 0;
}

/** What LOOKUP and its like tell: the node that a name stands for. */
export class Entry {
  /** Node id; 0 says that the name does not exist, for as long as `validity`. */
  node = 0;
  /** Distinguishes uses of a node id, if ids are ever reused. */
  generation = 0;
  /** Seconds for which the kernel may keep the name. */
  validity = 0;
  readonly attributes = new Attributes();
}

/** How long "for ever" is: the kernel turns seconds into jiffies, and 68 years fit everywhere. */
export const forEver = 0x7fff_ffff;

export function putU64(view: DataView, at: number, value: number): void {
  if (value >= 0 && value <= 0xffff_ffff) {
    view.setUint32(at, value, true);
    view.setUint32(at + 4, 0, true);
    return;
  }
  // Two's complement across both words, so that times before 1970 come out right.
  view.setUint32(at, (value % 0x1_0000_0000) >>> 0, true);
  view.setUint32(at + 4, Math.floor(value / 0x1_0000_0000) >>> 0, true);
}

function putAttributes(view: DataView, at: number, attributes: Attributes): void {
  putU64(view, at, attributes.ino);
  putU64(view, at + 8, attributes.size);
  putU64(view, at + 16, attributes.blocks);
  putU64(view, at + 24, attributes.atime);
  putU64(view, at + 32, attributes.mtime);
  putU64(view, at + 40, attributes.ctime);
  view.setUint32(at + 48, attributes.atimeNanoseconds, true);
  view.setUint32(at + 52, attributes.mtimeNanoseconds, true);
  view.setUint32(at + 56, attributes.ctimeNanoseconds, true);
  view.setUint32(at + 60, attributes.mode, true);
  view.setUint32(at + 64, attributes.links, true);
  view.setUint32(at + 68, attributes.uid, true);
  view.setUint32(at + 72, attributes.gid, true);
  view.setUint32(at + 76, attributes.rdev, true);
  view.setUint32(at + 80, attributes.blockSize, true);
  view.setUint32(at + 84, 0, true);
}

function nanoseconds(seconds: number): number {
  return Math.floor((seconds % 1) * 1e9);
}

/** `struct fuse_attr_out`; returns its size. */
export function putAttributesReply(view: DataView, at: number, attributes: Attributes): number {
  putU64(view, at, Math.floor(attributes.validity));
  view.setUint32(at + 8, nanoseconds(attributes.validity), true);
  view.setUint32(at + 12, 0, true);
  putAttributes(view, at + 16, attributes);
  return 16 + attributesSize;
}

/** `struct fuse_entry_out`; returns its size. */
export function putEntry(view: DataView, at: number, entry: Entry): number {
  putU64(view, at, entry.node);
  putU64(view, at + 8, entry.generation);
  putU64(view, at + 16, Math.floor(entry.validity));
  putU64(view, at + 24, Math.floor(entry.attributes.validity));
  view.setUint32(at + 32, nanoseconds(entry.validity), true);
  view.setUint32(at + 36, nanoseconds(entry.attributes.validity), true);
  putAttributes(view, at + 40, entry.attributes);
  return 40 + attributesSize;
}
