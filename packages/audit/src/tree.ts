/** The tree over the records, as it grows (RFC 9162 §2.1). Positions count from 0: record n is leaf n − 1. */

/** SHA-256, at once: whoever grows a tree hashes with what its platform has built in. */
export type Sha256 = (data: Uint8Array) => Uint8Array;

export const hashSize = 32;
const leafPrefix = 0;
const nodePrefix = 1;

export function leafInput(entry: Uint8Array): Uint8Array {
  const input = new Uint8Array(1 + entry.length);
  input[0] = leafPrefix;
  input.set(entry, 1);
  return input;
}

export function nodeInput(left: Uint8Array, right: Uint8Array): Uint8Array {
  const input = new Uint8Array(1 + 2 * hashSize);
  input[0] = nodePrefix;
  input.set(left, 1);
  input.set(right, 1 + hashSize);
  return input;
}

/** A tree of which only the complete subtrees at its right edge are kept: O(log n) memory. */
export class GrowingTree {
  readonly #sha256: Sha256;
  /** Largest first; the sizes are the powers of two in {@link size}. */
  readonly #edge: Uint8Array[] = [];
  #size = 0;

  constructor(sha256: Sha256) {
    this.#sha256 = sha256;
  }

  get size(): number {
    return this.#size;
  }

  /** Adds a leaf hash; returns it and the hashes of the subtrees that it completes, as {@link storedIndex} orders them. */
  append(leaf: Uint8Array): readonly Uint8Array[] {
    const made = [leaf];
    let hash = leaf;
    for (let rest = this.#size; rest % 2 === 1; rest = (rest - 1) / 2) {
      hash = this.#sha256(nodeInput(this.#edge.pop() as Uint8Array, hash));
      made.push(hash);
    }
    this.#edge.push(hash);
    this.#size++;
    return made;
  }

  /** The root; of an empty tree the hash of nothing. */
  root(): Uint8Array {
    if (this.#size === 0) return this.#sha256(new Uint8Array());
    return this.#edge.reduceRight((right, left) => this.#sha256(nodeInput(left, right)));
  }
}

/**
 * Where the hash of the complete subtree over leaves `index`·2^level … stands among all hashes that {@link GrowingTree.append}
 * returned so far, one after the other.
 */
export function storedIndex(level: number, index: number): number {
  let leaf = index;
  for (let l = level; l > 0; l--) leaf = 2 * leaf + 1;
  let at = 0;
  for (let rest = leaf; rest > 0; rest = Math.floor(rest / 2)) at += rest;
  return at + level;
}

/** Reads the hash at a {@link storedIndex}. */
export type ReadHash = (index: number) => Uint8Array;

export interface StoredTree {
  readonly sha256: Sha256;
  readonly read: ReadHash;
}

/** The largest power of two below `size`, which is 2 or more. */
function split(size: number): number {
  let k = 1;
  while (k * 2 < size) k *= 2;
  return k;
}

/** The hash over leaves `from` to `to`; in every call `from` is a multiple of the power of two that the range fits in. */
function rangeHash(tree: StoredTree, from: number, to: number): Uint8Array {
  const size = to - from;
  if (size === 1) return tree.read(storedIndex(0, from));
  const k = split(size);
  if (k * 2 === size) return tree.read(storedIndex(Math.log2(size), from / size));
  return tree.sha256(nodeInput(rangeHash(tree, from, from + k), rangeHash(tree, from + k, to)));
}

function checkRange(least: number, value: number, most: number, what: string): void {
  if (!Number.isSafeInteger(value) || value < least || value > most)
    throw new RangeError(`${what}: ${least} to ${most} expected, ${value} found`);
}

/** The root of the tree of the first `size` leaves. O(log n) reads. */
export function rootOf(tree: StoredTree, size: number): Uint8Array {
  checkRange(1, size, Number.MAX_SAFE_INTEGER, 'size of the tree');
  return rangeHash(tree, 0, size);
}

/** The proof that leaf `index` stands in the tree of the first `size` leaves (RFC 9162 §2.1.3.1). O(log n) reads. */
export function inclusionProof(tree: StoredTree, index: number, size: number): Uint8Array[] {
  checkRange(1, size, Number.MAX_SAFE_INTEGER, 'size of the tree');
  checkRange(0, index, size - 1, 'leaf');
  const proof: Uint8Array[] = [];
  let from = 0;
  let to = size;
  while (to - from > 1) {
    const middle = from + split(to - from);
    if (index < middle) {
      proof.push(rangeHash(tree, middle, to));
      to = middle;
    } else {
      proof.push(rangeHash(tree, from, middle));
      from = middle;
    }
  }
  return proof.toReversed();
}

/** The proof that the tree of the first `first` leaves is what that of `size` leaves began with (RFC 9162 §2.1.4.1). */
export function consistencyProof(tree: StoredTree, first: number, size: number): Uint8Array[] {
  checkRange(1, size, Number.MAX_SAFE_INTEGER, 'size of the tree');
  checkRange(1, first, size, 'size of the earlier tree');
  const proof: Uint8Array[] = [];
  let from = 0;
  let to = size;
  while (to !== first) {
    const middle = from + split(to - from);
    if (first <= middle) {
      proof.push(rangeHash(tree, middle, to));
      to = middle;
    } else {
      proof.push(rangeHash(tree, from, middle));
      from = middle;
    }
  }
  // The earlier tree itself needs no hash: who asks has its root.
  if (from > 0) proof.push(rangeHash(tree, from, to));
  return proof.toReversed();
}
