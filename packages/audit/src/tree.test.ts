import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { webCrypto } from '@ensconce/crypto-web/provider';
import { equalBytes, fromHex, toHex, utf8 } from '@ensconce/base/bytes';
import { AuditError } from './errors.ts';
import { leafHash, verifyConsistency, verifyInclusion } from './proof.ts';
import { consistencyProof, GrowingTree, inclusionProof, storedIndex, type StoredTree } from './tree.ts';

const sha256 = (data: Uint8Array): Uint8Array => hash('sha256', data, 'buffer');
const isProofError = (error: unknown): boolean => error instanceof AuditError && error.code === 'AUDIT_PROOF';

/** RFC 9162 §2.1.1 as it is written there. */
function naiveRoot(entries: readonly Uint8Array[]): Uint8Array {
  const [first] = entries;
  if (first === undefined) return sha256(new Uint8Array());
  if (entries.length === 1) return sha256(Buffer.concat([Buffer.of(0), first]));
  let k = 1;
  while (k * 2 < entries.length) k *= 2;
  return sha256(Buffer.concat([Buffer.of(1), naiveRoot(entries.slice(0, k)), naiveRoot(entries.slice(k))]));
}

interface Grown extends StoredTree {
  readonly entries: readonly Uint8Array[];
  readonly roots: readonly Uint8Array[];
}

async function grow(size: number): Promise<Grown> {
  const tree = new GrowingTree(sha256);
  const stored: Uint8Array[] = [];
  const entries: Uint8Array[] = [];
  const roots = [tree.root()];
  for (let i = 0; i < size; i++) {
    const entry = utf8(`entry ${i}`);
    entries.push(entry);
    stored.push(...tree.append(await leafHash(nodeCrypto, entry)));
    roots.push(tree.root());
  }
  return { sha256, read: (index) => stored[index] as Uint8Array, entries, roots };
}

const largest = 260;

void test('the tree is that of RFC 9162 at every size, and its hashes stand where they are looked for', async () => {
  const tree = await grow(largest);
  for (let size = 0; size <= largest; size++) {
    assert.ok(equalBytes(tree.roots[size] as Uint8Array, naiveRoot(tree.entries.slice(0, size))), `${size}`);
  }
  for (let level = 0; 2 ** level <= largest; level++) {
    for (let i = 0; (i + 1) * 2 ** level <= largest; i++) {
      const part = tree.entries.slice(i * 2 ** level, (i + 1) * 2 ** level);
      assert.ok(equalBytes(tree.read(storedIndex(level, i)), naiveRoot(part)), `level ${level}, ${i}`);
    }
  }
});

void test('the roots of the reference tree of Certificate Transparency come out', () => {
  // The eight entries and their roots are those of the tests of google/certificate-transparency.
  const entries = [
    '',
    '00',
    '10',
    '2021',
    '3031',
    '40414243',
    '5051525354555657',
    '606162636465666768696a6b6c6d6e6f',
  ];
  const tree = new GrowingTree(sha256);
  for (const entry of entries) tree.append(sha256(Buffer.concat([Buffer.of(0), fromHex(entry)])));
  assert.equal(toHex(tree.root()), '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328');
});

void test('every leaf of every tree is proved to be in it, and nowhere else', async () => {
  const tree = await grow(130);
  for (let size = 1; size <= 130; size++) {
    const head = { size, root: tree.roots[size] as Uint8Array };
    for (let index = 0; index < size; index++) {
      const proof = inclusionProof(tree, index, size);
      const leaf = await leafHash(nodeCrypto, tree.entries[index] as Uint8Array);
      await verifyInclusion(nodeCrypto, head, index, leaf, proof);
      const other = await leafHash(nodeCrypto, utf8('another entry'));
      await assert.rejects(verifyInclusion(nodeCrypto, head, index, other, proof), isProofError);
      if (size > 1) {
        const elsewhere = (index + 1) % size;
        await assert.rejects(verifyInclusion(nodeCrypto, head, elsewhere, leaf, proof), isProofError);
      }
    }
  }
});

void test('every tree is proved to continue every earlier one, and no other', async () => {
  const tree = await grow(130);
  const other = sha256(utf8('another root'));
  for (let size = 1; size <= 130; size++) {
    const second = { size, root: tree.roots[size] as Uint8Array };
    for (let earlier = 1; earlier <= size; earlier++) {
      const first = { size: earlier, root: tree.roots[earlier] as Uint8Array };
      const proof = consistencyProof(tree, earlier, size);
      await verifyConsistency(nodeCrypto, first, second, proof);
      await assert.rejects(
        verifyConsistency(nodeCrypto, { ...first, root: other }, second, proof),
        isProofError,
        `${earlier} to ${size}, another earlier root`,
      );
      await assert.rejects(
        verifyConsistency(nodeCrypto, first, { ...second, root: other }, proof),
        isProofError,
        `${earlier} to ${size}, another later root`,
      );
    }
  }
});

void test('a proof that is changed, cut or lengthened proves nothing', async () => {
  const tree = await grow(largest);
  const head = { size: largest, root: tree.roots[largest] as Uint8Array };
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: largest - 1 }),
      fc.nat(),
      fc.constantFrom('changed', 'cut', 'longer', 'swapped'),
      async (at, where, how) => {
        const first = { size: at, root: tree.roots[at] as Uint8Array };
        const leaf = await leafHash(nodeCrypto, tree.entries[at] as Uint8Array);
        const spoil = (proof: readonly Uint8Array[]): Uint8Array[] => {
          const i = where % proof.length;
          const copy: Uint8Array[] = proof.map((one) => Uint8Array.from(one));
          if (how === 'changed') (copy[i] as Uint8Array)[where % 32]! ^= 1;
          if (how === 'cut') copy.splice(i, 1);
          if (how === 'longer') copy.splice(i, 0, sha256(utf8(String(where))));
          if (how === 'swapped') copy.push(copy.shift() as Uint8Array, sha256(utf8('x')));
          return copy;
        };
        await assert.rejects(
          verifyInclusion(nodeCrypto, head, at, leaf, spoil(inclusionProof(tree, at, largest))),
          isProofError,
        );
        await assert.rejects(
          verifyConsistency(nodeCrypto, first, head, spoil(consistencyProof(tree, at, largest))),
          isProofError,
        );
      },
    ),
  );
});

void test('proofs that a browser checks are the same', async () => {
  const tree = await grow(77);
  const head = { size: 77, root: tree.roots[77] as Uint8Array };
  const leaf = await leafHash(webCrypto, tree.entries[50] as Uint8Array);
  await verifyInclusion(webCrypto, head, 50, leaf, inclusionProof(tree, 50, 77));
  const first = { size: 33, root: tree.roots[33] as Uint8Array };
  await verifyConsistency(webCrypto, first, head, consistencyProof(tree, 33, 77));
});

void test('only leaves and trees that there are can be proved', async () => {
  const tree = await grow(5);
  assert.throws(() => inclusionProof(tree, 5, 5), RangeError);
  assert.throws(() => inclusionProof(tree, 0, 0), RangeError);
  assert.throws(() => consistencyProof(tree, 6, 5), RangeError);
  assert.throws(() => consistencyProof(tree, 0, 5), RangeError);
  const head = { size: 5, root: tree.roots[5] as Uint8Array };
  const leaf = await leafHash(nodeCrypto, tree.entries[0] as Uint8Array);
  for (const index of [-1, 5, 0.5, Number.NaN, 2 ** 53]) {
    await assert.rejects(verifyInclusion(nodeCrypto, head, index, leaf, []), isProofError);
  }
  await assert.rejects(
    verifyInclusion(
      nodeCrypto,
      head,
      0,
      leaf,
      Array.from({ length: 1000 }, () => leaf),
    ),
    isProofError,
  );
});
