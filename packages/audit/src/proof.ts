import { equalBytes } from '@ensconce/base/bytes';
import type { CryptoProvider } from '@ensconce/x509/crypto';
import { AuditError } from './errors.ts';
import { hashSize, leafInput, nodeInput } from './tree.ts';

/** A tree that somebody vouches for. */
export interface TreeHead {
  readonly size: number;
  /** 32 bytes. */
  readonly root: Uint8Array;
}

/** Longest path in a tree of 2⁵³ leaves, and with the subtree's own hash one more. */
export const longestProof = 54;

const half = (n: number): number => Math.floor(n / 2);
const odd = (n: number): boolean => n % 2 === 1;

function wrong(expected: string, found: string): AuditError {
  return new AuditError('AUDIT_PROOF', `proof: ${expected} expected, ${found} found`);
}

function checkProof(proof: readonly Uint8Array[]): void {
  if (proof.length > longestProof) throw wrong(`${longestProof} hashes at most`, String(proof.length));
  if (proof.some((hash) => hash.length !== hashSize))
    throw wrong(`hashes of ${hashSize} bytes`, 'another length');
}

/** The hash of an entry, as a leaf. */
export async function leafHash(crypto: CryptoProvider, entry: Uint8Array): Promise<Uint8Array> {
  return crypto.sha256(leafInput(entry));
}

const nodeHash = (crypto: CryptoProvider, left: Uint8Array, right: Uint8Array) =>
  crypto.sha256(nodeInput(left, right));

/**
 * Holds an untrusted proof that `leaf` is leaf `index` (from 0) of a tree (RFC 9162 §2.1.3.2). Throws `AUDIT_PROOF`.
 */
export async function verifyInclusion(
  crypto: CryptoProvider,
  head: TreeHead,
  index: number,
  leaf: Uint8Array,
  proof: readonly Uint8Array[],
): Promise<void> {
  checkProof(proof);
  if (!Number.isSafeInteger(index) || index < 0 || index >= head.size)
    throw wrong(`a leaf of a tree of ${head.size}`, `leaf ${index}`);
  let fn = index;
  let sn = head.size - 1;
  let hash = leaf;
  for (const other of proof) {
    if (sn === 0) throw wrong('an end at the root', 'more hashes');
    if (odd(fn) || fn === sn) {
      hash = await nodeHash(crypto, other, hash);
      while (!odd(fn) && fn !== 0) {
        fn = half(fn);
        sn = half(sn);
      }
    } else {
      hash = await nodeHash(crypto, hash, other);
    }
    fn = half(fn);
    sn = half(sn);
  }
  if (sn !== 0) throw wrong('a path up to the root', 'a shorter one');
  if (!equalBytes(hash, head.root)) throw wrong('the root of the tree', 'another hash');
}

/**
 * Holds an untrusted proof that `second` continues `first`, which has at least one leaf (RFC 9162 §2.1.4.2). Throws `AUDIT_PROOF`.
 */
export async function verifyConsistency(
  crypto: CryptoProvider,
  first: TreeHead,
  second: TreeHead,
  proof: readonly Uint8Array[],
): Promise<void> {
  checkProof(proof);
  if (first.size < 1 || second.size < first.size)
    throw wrong(`a tree of ${first.size} leaves or more`, `one of ${second.size}`);
  if (first.size === second.size) {
    if (proof.length > 0) throw wrong('no hashes for trees of one size', String(proof.length));
    if (!equalBytes(first.root, second.root)) throw wrong('the same root', 'another one');
    return;
  }
  let fn = first.size - 1;
  let sn = second.size - 1;
  while (odd(fn)) {
    fn = half(fn);
    sn = half(sn);
  }
  // Where the earlier tree is one complete subtree, its root is where both paths begin.
  const path = fn === 0 ? [first.root, ...proof] : proof;
  const [start, ...rest] = path;
  if (start === undefined) throw wrong('a path', 'none');
  let fr = start;
  let sr = start;
  for (const other of rest) {
    if (sn === 0) throw wrong('an end at the root', 'more hashes');
    if (odd(fn) || fn === sn) {
      fr = await nodeHash(crypto, other, fr);
      sr = await nodeHash(crypto, other, sr);
      while (!odd(fn) && fn !== 0) {
        fn = half(fn);
        sn = half(sn);
      }
    } else {
      sr = await nodeHash(crypto, sr, other);
    }
    fn = half(fn);
    sn = half(sn);
  }
  if (sn !== 0) throw wrong('a path up to the root', 'a shorter one');
  if (!equalBytes(fr, first.root)) throw wrong('the root of the earlier tree', 'another hash');
  if (!equalBytes(sr, second.root)) throw wrong('the root of the later tree', 'another hash');
}
