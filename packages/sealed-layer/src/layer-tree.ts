import { Buffer } from 'node:buffer';
import type { EntryAttributes, LayerEntry } from './entry.ts';
import { SealedLayerError } from './errors.ts';
import { maxNameLength, maxTargetLength, maxXattrBytes, viewOf } from './format.ts';
import type { NodeKind } from './tree.ts';

/** One inode while its layer is being read. Names are latin-1 strings, one character per byte. */
export interface LayerNode {
  readonly kind: NodeKind;
  mode: number;
  uid: number;
  gid: number;
  mtimeSeconds: number;
  mtimeNanoseconds: number;
  xattrs: Uint8Array;
  /** Counted when the index is laid out. */
  links: number;
  /** Files. */
  size: number;
  position: number;
  extents: number[] | undefined;
  /** Symbolic links. */
  readonly target: Uint8Array | undefined;
  readonly major: number;
  readonly minor: number;
  /** Directories. */
  readonly children: Map<string, LayerNode> | undefined;
  whiteouts: Set<string> | undefined;
  opaque: boolean;
  implicit: boolean;
  /** Its number, once the index is laid out. */
  inode: number;
}

/** More entries than any real layer has; the limit keeps the memory of the writer bounded. */
const maxNodes = 8_000_000;
const noAttributes: EntryAttributes = {
  mode: 0o755,
  uid: 0,
  gid: 0,
  mtimeSeconds: 0,
  mtimeNanoseconds: 0,
  xattrs: [],
};
const empty = new Uint8Array(0);

/** For messages: what of a path can be shown. */
export function showPath(path: Uint8Array): string {
  return JSON.stringify(Buffer.from(path).toString('utf8').slice(0, 200));
}

function encodeXattrs(attributes: EntryAttributes, path: Uint8Array): Uint8Array {
  if (attributes.xattrs.length === 0) return empty;
  const sorted = attributes.xattrs.toSorted((a, b) => Buffer.compare(a.name, b.name));
  let length = 0;
  for (const { name, value } of sorted) {
    length += 6 + name.length + value.length;
    if (name.length === 0 || name.length > maxNameLength || length > maxXattrBytes) {
      throw new SealedLayerError(
        'SEALED_LIMIT',
        `${showPath(path)}: extended attributes with names of 1 to ${maxNameLength} bytes and at most ${maxXattrBytes} bytes together expected`,
      );
    }
  }
  const encoded = new Uint8Array(length);
  const view = viewOf(encoded);
  let at = 0;
  for (const { name, value } of sorted) {
    view.setUint16(at, name.length, true);
    view.setUint32(at + 2, value.length, true);
    encoded.set(name, at + 6);
    encoded.set(value, at + 6 + name.length);
    at += 6 + name.length + value.length;
  }
  return encoded;
}

/** The tree of one layer, built entry by entry with the rules by which an engine unpacks it: later entries win. */
export class LayerTree {
  readonly root: LayerNode = LayerTree.#node('directory', noAttributes, empty, { implicit: true });
  #nodes = 1;

  static #node(
    kind: NodeKind,
    attributes: EntryAttributes,
    path: Uint8Array,
    more: { target?: Uint8Array; major?: number; minor?: number; implicit?: boolean },
  ): LayerNode {
    return {
      kind,
      mode: attributes.mode & 0o7777,
      uid: attributes.uid,
      gid: attributes.gid,
      mtimeSeconds: attributes.mtimeSeconds,
      mtimeNanoseconds: attributes.mtimeNanoseconds,
      xattrs: encodeXattrs(attributes, path),
      links: 0,
      size: more.target?.length ?? 0,
      position: 0,
      extents: undefined,
      target: more.target,
      major: more.major ?? 0,
      minor: more.minor ?? 0,
      children: kind === 'directory' ? new Map<string, LayerNode>() : undefined,
      whiteouts: undefined,
      opaque: false,
      implicit: more.implicit ?? false,
      inode: -1,
    };
  }

  #names(path: Uint8Array): string[] {
    const names = Buffer.from(path.buffer, path.byteOffset, path.length)
      .toString('latin1')
      .split('/')
      .filter((name) => name !== '' && name !== '.');
    for (const name of names) {
      if (name === '..' || name.includes('\0') || name.length > maxNameLength) {
        throw new SealedLayerError(
          'SEALED_ENTRY',
          `${showPath(path)}: a path of names of 1 to ${maxNameLength} bytes without ".." expected`,
          { hint: 'the layer is broken or hostile; no engine would unpack it as it stands' },
        );
      }
    }
    return names;
  }

  /** The directory in which the last of `names` stands, made where the layer does not list it. */
  #parent(names: readonly string[], path: Uint8Array): Map<string, LayerNode> {
    return this.#directory(names, names.length - 1, path).children as Map<string, LayerNode>;
  }

  #directory(names: readonly string[], depth: number, path: Uint8Array): LayerNode {
    let directory = this.root;
    for (let i = 0; i < depth; i++) {
      const name = names[i] as string;
      const children = directory.children as Map<string, LayerNode>;
      let child = children.get(name);
      if (child === undefined) {
        this.#count();
        child = LayerTree.#node('directory', noAttributes, path, { implicit: true });
        children.set(name, child);
      } else if (child.kind !== 'directory') {
        throw new SealedLayerError(
          'SEALED_ENTRY',
          `${showPath(path)}: a directory expected at ${showPath(Buffer.from(names.slice(0, i + 1).join('/'), 'latin1'))}, ${child.kind} found`,
          { hint: 'the layer writes through something that is no directory; rebuild the image' },
        );
      }
      directory = child;
    }
    return directory;
  }

  #count(): void {
    if (++this.#nodes > maxNodes)
      throw new SealedLayerError(
        'SEALED_LIMIT',
        `at most ${maxNodes} entries in a layer expected, more found`,
      );
  }

  /** Adds an entry; the node that a file's contents belong to, `undefined` for whiteouts and hard links. */
  add(entry: LayerEntry): LayerNode | undefined {
    const names = this.#names(entry.path);
    const name = names.at(-1);
    if (name === undefined) {
      if (entry.kind !== 'directory')
        throw new SealedLayerError('SEALED_ENTRY', `a directory expected at the root, ${entry.kind} found`);
      this.#refresh(this.root, entry, entry.path);
      return undefined;
    }
    if (name.startsWith('.wh.')) {
      this.#whiteout(names, name, entry.path);
      return undefined;
    }
    const siblings = this.#parent(names, entry.path);
    const before = siblings.get(name);
    if (entry.kind === 'hardlink') {
      const target = this.#find(entry.target);
      if (target === undefined || target.kind === 'directory') {
        throw new SealedLayerError(
          'SEALED_ENTRY',
          `${showPath(entry.path)}: a hard link to a file earlier in the same layer expected, ${showPath(entry.target)} found`,
          { hint: 'rebuild the layer so that it carries the file itself' },
        );
      }
      siblings.set(name, target);
      return undefined;
    }
    if (entry.kind === 'directory' && before?.kind === 'directory') {
      this.#refresh(before, entry, entry.path);
      return undefined;
    }
    this.#count();
    const node = LayerTree.#node(entry.kind, entry, entry.path, this.#particulars(entry));
    siblings.set(name, node);
    return node;
  }

  #particulars(entry: LayerEntry): { target?: Uint8Array; major?: number; minor?: number } {
    if (entry.kind === 'symlink') {
      if (entry.target.length === 0 || entry.target.length > maxTargetLength || entry.target.includes(0)) {
        throw new SealedLayerError(
          'SEALED_ENTRY',
          `${showPath(entry.path)}: a link target of 1 to ${maxTargetLength} bytes expected, ${entry.target.length} found`,
        );
      }
      return { target: entry.target.slice() };
    }
    if (entry.kind === 'character' || entry.kind === 'block')
      return { major: entry.major, minor: entry.minor };
    return {};
  }

  #refresh(node: LayerNode, attributes: EntryAttributes, path: Uint8Array): void {
    node.mode = attributes.mode & 0o7777;
    node.uid = attributes.uid;
    node.gid = attributes.gid;
    node.mtimeSeconds = attributes.mtimeSeconds;
    node.mtimeNanoseconds = attributes.mtimeNanoseconds;
    node.xattrs = encodeXattrs(attributes, path);
    node.implicit = false;
  }

  /** OCI image specification, layer.md, "Whiteouts". They hide lower layers only, never what this layer holds. */
  #whiteout(names: readonly string[], name: string, path: Uint8Array): void {
    const directory = this.#directory(names, names.length - 1, path);
    if (name === '.wh..wh..opq') {
      directory.opaque = true;
      return;
    }
    // Other names with this prefix are AUFS's own bookkeeping, which engines skip.
    if (name.startsWith('.wh..wh.')) return;
    const hidden = name.slice(4);
    if (hidden === '' || hidden === '.' || hidden === '..')
      throw new SealedLayerError('SEALED_ENTRY', `${showPath(path)}: a name expected after ".wh."`);
    directory.whiteouts ??= new Set();
    if (!directory.whiteouts.has(hidden)) this.#count();
    directory.whiteouts.add(hidden);
  }

  #find(path: Uint8Array): LayerNode | undefined {
    let node: LayerNode | undefined = this.root;
    for (const name of this.#names(path)) node = node?.children?.get(name);
    return node;
  }
}
