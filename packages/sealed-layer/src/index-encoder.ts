import { Buffer } from 'node:buffer';
import {
  entrySize,
  extentSize,
  encodeUnitRecord,
  inodeFlag,
  inodeSize,
  kindCode,
  noInode,
  regionsOf,
  unitRecordSize,
  viewOf,
  whiteoutCode,
  writeU64,
  type Summary,
  type UnitRecord,
} from './format.ts';
import type { LayerNode } from './layer-tree.ts';

/** Bytes that grow. */
class Heap {
  #bytes = Buffer.alloc(65_536);
  length = 0;

  append(bytes: Uint8Array): number {
    const at = this.length;
    if (at + bytes.length > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(this.#bytes.length * 2, at + bytes.length));
      larger.set(this.#bytes.subarray(0, at));
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, at);
    this.length += bytes.length;
    return at;
  }

  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }
}

interface Numbered {
  readonly nodes: readonly LayerNode[];
  readonly parents: readonly number[];
  readonly entries: number;
  readonly extents: number;
}

/** A directory's names in byte order: latin-1 strings compare as their bytes do. */
function namesOf(directory: LayerNode): string[] {
  const names = [...(directory.children as Map<string, LayerNode>).keys()];
  for (const name of directory.whiteouts ?? []) {
    const child = directory.children?.get(name);
    if (child === undefined) names.push(name);
    else if (child.kind === 'directory') child.opaque = true;
  }
  return names.sort();
}

/** Numbers the inodes: the root is 0, the children of one directory follow each other. */
function number(root: LayerNode): Numbered {
  const nodes = [root];
  const parents = [0];
  let entries = 0;
  let extents = 0;
  root.inode = 0;
  root.links = 2;
  for (let i = 0; i < nodes.length; i++) {
    const node = nodes[i] as LayerNode;
    if (node.kind === 'file' && node.extents !== undefined) extents += node.extents.length / 2;
    if (node.children === undefined) continue;
    for (const name of namesOf(node)) {
      entries++;
      const child = node.children.get(name);
      if (child === undefined) continue;
      if (child.kind === 'directory') {
        child.links = 2;
        node.links++;
      } else {
        child.links++;
      }
      if (child.inode >= 0) continue;
      child.inode = nodes.length;
      nodes.push(child);
      parents.push(i);
    }
  }
  return { nodes, parents, entries, extents };
}

/** Lays out the index (docs/formats/sealed-layer.md, "Index"): inodes, entries, extents, chunks, heap. */
export function encodeIndex(
  root: LayerNode,
  chunks: readonly UnitRecord[],
  streamLength: number,
): { index: Uint8Array; summary: Summary } {
  const { nodes, parents, entries, extents } = number(root);
  const heap = new Heap();
  heap.append(new Uint8Array(1));
  const inodeBytes = new Uint8Array(nodes.length * inodeSize);
  const entryBytes = new Uint8Array(entries * entrySize);
  const extentBytes = new Uint8Array(extents * extentSize);
  const inodeView = viewOf(inodeBytes);
  const entryView = viewOf(entryBytes);
  const extentView = viewOf(extentBytes);
  const ownEntry = new Uint32Array(nodes.length);
  let nextEntry = 0;
  let nextExtent = 0;
  let totalBytes = 0;

  for (const [inode, node] of nodes.entries()) {
    const at = inode * inodeSize;
    let flags = 0;
    let start = 0;
    let count = 0;
    switch (node.kind) {
      case 'directory': {
        flags = (node.opaque ? inodeFlag.opaque : 0) | (node.implicit ? inodeFlag.implicit : 0);
        start = nextEntry;
        for (const name of namesOf(node)) {
          const child = node.children?.get(name);
          const entryAt = nextEntry * entrySize;
          entryView.setUint32(entryAt, child?.inode ?? noInode, true);
          entryView.setUint16(entryAt + 4, name.length, true);
          entryView.setUint8(entryAt + 6, child === undefined ? whiteoutCode : kindCode[child.kind]);
          writeU64(entryView, entryAt + 8, heap.append(Buffer.from(name, 'latin1')));
          if (child?.kind === 'directory') ownEntry[child.inode] = nextEntry;
          nextEntry++;
        }
        count = nextEntry - start;
        break;
      }
      case 'file': {
        totalBytes += node.size;
        if (node.extents === undefined) {
          flags = inodeFlag.contiguous;
          start = node.position;
        } else {
          start = nextExtent;
          for (let i = 0; i < node.extents.length; i += 2) {
            writeU64(extentView, nextExtent * extentSize, node.extents[i] as number);
            writeU64(extentView, nextExtent * extentSize + 8, node.extents[i + 1] as number);
            nextExtent++;
          }
          count = nextExtent - start;
        }
        break;
      }
      case 'symlink':
        start = heap.append(node.target as Uint8Array);
        count = (node.target as Uint8Array).length;
        break;
      default:
        start = node.major + node.minor * 0x1_0000_0000;
    }
    inodeBytes[at] = kindCode[node.kind];
    inodeBytes[at + 1] = flags;
    inodeView.setUint16(at + 2, node.mode, true);
    inodeView.setUint32(at + 4, node.uid, true);
    inodeView.setUint32(at + 8, node.gid, true);
    inodeView.setUint32(at + 12, node.links, true);
    writeU64(inodeView, at + 16, node.size);
    inodeView.setBigInt64(at + 24, BigInt(node.mtimeSeconds), true);
    inodeView.setUint32(at + 32, node.mtimeNanoseconds, true);
    inodeView.setUint32(at + 36, count, true);
    writeU64(inodeView, at + 40, start);
    if (node.xattrs.length > 0) {
      const length = new Uint8Array(4);
      viewOf(length).setUint32(0, node.xattrs.length, true);
      writeU64(inodeView, at + 48, heap.append(length));
      heap.append(node.xattrs);
    }
    if (node.kind === 'directory') {
      inodeView.setUint32(at + 56, ownEntry[inode] as number, true);
      inodeView.setUint32(at + 60, parents[inode] as number, true);
    }
  }

  const summary: Summary = {
    nodes: nodes.length,
    entries,
    extents,
    chunks: chunks.length,
    heapLength: heap.length,
    streamLength,
    totalBytes,
  };
  const regions = regionsOf(summary);
  const index = new Uint8Array(regions.end);
  index.set(inodeBytes, 0);
  index.set(entryBytes, regions.entries);
  index.set(extentBytes, regions.extents);
  for (const [i, chunk] of chunks.entries())
    encodeUnitRecord(chunk, index, regions.chunks + i * unitRecordSize);
  index.set(heap.bytes, regions.heap);
  return { index, summary };
}
