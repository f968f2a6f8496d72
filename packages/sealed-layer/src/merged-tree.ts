import type { SealedLayer } from './reader.ts';
import type { Attributes, NodeKind, ReadOnlyTree, VisitEntry } from './tree.ts';

/** Directories whose layers are remembered; the others are found again by their path when they are needed. */
const maxDirectories = 4096;
/** Entries of merged listings that are remembered. */
const maxListed = 65_536;

/** A directory in one layer. */
interface Place {
  readonly layer: number;
  readonly inode: number;
}

/** One directory of the merged tree: where it stands, topmost layer first. */
type Places = readonly Place[];

interface Listed {
  readonly layers: Uint16Array;
  readonly positions: Uint32Array;
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const common = Math.min(a.length, b.length);
  for (let i = 0; i < common; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/**
 * Sealed layers, lowest first, as the one tree that an engine would have unpacked (OCI image specification,
 * layer.md). Nothing is materialised: a node is the number of the inode in the topmost layer that has it, counted
 * through all layers, so hard links share one node and memory does not grow with the image.
 */
export class MergedTree implements ReadOnlyTree {
  readonly #layers: readonly SealedLayer[];
  /** First node number of each layer. */
  readonly #bases: number[] = [];
  readonly #directories = new Map<number, Places>();
  readonly #listed = new Map<number, Listed>();
  #listedEntries = 0;
  readonly nodeCount: number;
  readonly totalBytes: number;

  constructor(layers: readonly SealedLayer[]) {
    if (layers.length === 0) throw new RangeError('a tree has at least one layer');
    this.#layers = layers;
    let next = 2;
    let bytes = 0;
    for (const layer of layers) {
      this.#bases.push(next);
      next += layer.nodeCount;
      bytes += layer.totalBytes;
    }
    this.nodeCount = next - 2;
    this.totalBytes = bytes;
  }

  #layer(index: number): SealedLayer {
    return this.#layers[index] as SealedLayer;
  }

  #node(place: Place): number {
    return place.inode === 0 ? 1 : (this.#bases[place.layer] as number) + place.inode;
  }

  #place(node: number): Place {
    if (node === 1) return { layer: this.#layers.length - 1, inode: 0 };
    let low = 0;
    let high = this.#bases.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#bases[middle] as number) <= node) low = middle;
      else high = middle - 1;
    }
    return { layer: low, inode: node - (this.#bases[low] as number) };
  }

  /** The places of the root; an opaque root hides the layers below. */
  #root(): Places {
    const places: Place[] = [];
    for (let layer = this.#layers.length - 1; layer >= 0; layer--) {
      places.push({ layer, inode: 0 });
      if (this.#layer(layer).isOpaque(0)) break;
    }
    return places;
  }

  /** What a name stands for: the places of a directory, the one place of anything else, none. */
  #step(parents: Places, name: Uint8Array): Places {
    const found: Place[] = [];
    for (const { layer, inode } of parents) {
      const entry = this.#layer(layer).find(inode, name);
      if (entry === undefined) continue;
      if (entry.inode === undefined) break;
      if (entry.kind !== 'directory') {
        if (found.length === 0) found.push({ layer, inode: entry.inode });
        break;
      }
      found.push({ layer, inode: entry.inode });
      if (this.#layer(layer).isOpaque(entry.inode)) break;
    }
    return found;
  }

  #remember(node: number, places: Places): void {
    this.#directories.delete(node);
    this.#directories.set(node, places);
    if (this.#directories.size > maxDirectories) {
      const oldest = this.#directories.keys().next().value;
      if (oldest !== undefined) this.#directories.delete(oldest);
    }
  }

  #places(node: number): Places {
    const known = this.#directories.get(node);
    if (known !== undefined) return known;
    let places = this.#root();
    if (node !== 1) {
      const { layer, inode } = this.#place(node);
      for (const name of this.#layer(layer).path(inode)) places = this.#step(places, name);
      const top = places[0];
      if (top === undefined || this.#node(top) !== node)
        throw new RangeError(`no directory has the node ${node}`);
    }
    this.#remember(node, places);
    return places;
  }

  attributes(node: number): Attributes {
    const place = this.#place(node);
    const layer = this.#layer(place.layer);
    if (layer.kind(place.inode) !== 'directory') return { ...layer.attributes(place.inode), ino: node };
    const places = this.#places(node);
    const explicit = this.#explicit(places);
    const attributes = this.#layer(explicit.layer).attributes(explicit.inode);
    // A merged directory has no honest link count; 1 is how overlayfs says so.
    return { ...attributes, links: places.length === 1 ? attributes.links : 1, ino: node };
  }

  /** The topmost layer that lists the directory itself. */
  #explicit(places: Places): Place {
    return places.find(({ layer, inode }) => !this.#layer(layer).isImplicit(inode)) ?? (places[0] as Place);
  }

  lookup(parent: number, name: Uint8Array): number | undefined {
    const { layer, inode } = this.#place(parent);
    if (this.#layer(layer).kind(inode) !== 'directory') return undefined;
    const places = this.#step(this.#places(parent), name);
    const top = places[0];
    if (top === undefined) return undefined;
    const node = this.#node(top);
    if (places.length > 1) this.#remember(node, places);
    return node;
  }

  read(node: number, offset: number, length: number, into: Uint8Array, at: number): number {
    const { layer, inode } = this.#place(node);
    return this.#layer(layer).read(inode, offset, length, into, at);
  }

  readlink(node: number): Uint8Array {
    const { layer, inode } = this.#place(node);
    return this.#layer(layer).readlink(inode);
  }

  list(node: number, start: number, visit: VisitEntry): void {
    const places = this.#places(node);
    if (places.length === 1) {
      this.#listOne(places[0] as Place, start, visit);
      return;
    }
    const listed = this.#listing(node, places);
    for (let i = start; i < listed.layers.length; i++) {
      const layer = listed.layers[i] as number;
      const directory = (places.find((place) => place.layer === layer) as Place).inode;
      if (!this.#visit(layer, directory, listed.positions[i] as number, i + 1, visit)) return;
    }
  }

  #listOne({ layer, inode }: Place, start: number, visit: VisitEntry): void {
    const count = this.#layer(layer).entryCount(inode);
    for (let i = start; i < count; i++) {
      if (!this.#visit(layer, inode, i, i + 1, visit)) return;
    }
  }

  #visit(layer: number, directory: number, position: number, next: number, visit: VisitEntry): boolean {
    const entry = this.#layer(layer).entry(directory, position);
    if (entry.inode === undefined) return true;
    const name = this.#layer(layer).entryName(directory, position);
    return visit(name, this.#node({ layer, inode: entry.inode }), entry.kind as NodeKind, next);
  }

  /** The merged listing of a directory: layer and position of each visible entry, in byte order of the names. */
  #listing(node: number, places: Places): Listed {
    const known = this.#listed.get(node);
    if (known !== undefined) return known;
    const layers: number[] = [];
    const positions: number[] = [];
    const heads = places.map(({ layer, inode }) => {
      const source = this.#layer(layer);
      const count = source.entryCount(inode);
      return { layer, inode, count, position: 0, name: count > 0 ? source.entryName(inode, 0) : undefined };
    });
    for (;;) {
      let least: (typeof heads)[number] | undefined;
      for (const head of heads) {
        if (head.name === undefined) continue;
        if (least?.name === undefined || compareBytes(head.name, least.name) < 0) least = head;
      }
      if (least?.name === undefined) break;
      const name = least.name;
      // Heads are topmost first, so the first of equal names is the one that counts.
      if (this.#layer(least.layer).entry(least.inode, least.position).inode !== undefined) {
        layers.push(least.layer);
        positions.push(least.position);
      }
      for (const head of heads) {
        if (head.name === undefined || compareBytes(head.name, name) !== 0) continue;
        head.position++;
        head.name =
          head.position < head.count
            ? this.#layer(head.layer).entryName(head.inode, head.position)
            : undefined;
      }
    }
    const listed = { layers: Uint16Array.from(layers), positions: Uint32Array.from(positions) };
    this.#listed.set(node, listed);
    this.#listedEntries += layers.length;
    for (const [oldest, { layers: dropped }] of this.#listed) {
      if (this.#listedEntries <= maxListed || oldest === node) break;
      this.#listed.delete(oldest);
      this.#listedEntries -= dropped.length;
    }
    return listed;
  }

  #attributePlace(node: number): Place {
    const place = this.#place(node);
    if (this.#layer(place.layer).kind(place.inode) !== 'directory') return place;
    return this.#explicit(this.#places(node));
  }

  xattrNames(node: number): Uint8Array[] {
    const { layer, inode } = this.#attributePlace(node);
    return this.#layer(layer).xattrNames(inode);
  }

  xattr(node: number, name: Uint8Array): Uint8Array | undefined {
    const { layer, inode } = this.#attributePlace(node);
    return this.#layer(layer).xattr(inode, name);
  }

  forget(node: number): void {
    this.#directories.delete(node);
    const listed = this.#listed.get(node);
    if (listed === undefined) return;
    this.#listed.delete(node);
    this.#listedEntries -= listed.layers.length;
  }
}
