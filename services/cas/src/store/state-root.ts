import { hash as digest } from 'node:crypto';
import { utf8 } from '@ensconce/base/bytes';
import { encodeFields } from '@ensconce/base/fields';
import type { RecordPlace } from './record-cipher.ts';

const fanOut = 16;
const depth = 3;
const bucketCount = fanOut ** depth;

const hash = (label: string, fields: readonly Uint8Array[]): Uint8Array =>
  digest('sha256', encodeFields(label, fields), 'buffer');

/**
 * One hash over all records: a tree of fixed shape, 4096 buckets by the first 12 bits of SHA-256(table, key), three
 * levels of 16 above them. A commit rehashes the buckets that it changed and the
 * nodes above them, whatever the number of records.
 */
export class StateRoot {
  /** Leaves by slot, both as text of one character a byte: a hundred thousand byte arrays take three times the memory. */
  readonly #buckets: (Map<string, string> | undefined)[] = Array.from({ length: bucketCount });
  /** `#levels[0]` are the bucket hashes, the last level is the root alone. */
  readonly #levels: Uint8Array[][];
  /** Buckets that changed since the levels were computed. */
  readonly #changed = new Set<number>();

  constructor() {
    let level = Array.from({ length: bucketCount }, () => hash('bucket', []));
    this.#levels = [level];
    while (level.length > 1) {
      const below = level;
      level = Array.from({ length: below.length / fanOut }, (_, i) => nodeHash(below, i));
      this.#levels.push(level);
    }
  }

  /** The root, 32 bytes. */
  get value(): Uint8Array {
    this.#rehash();
    return this.#levels[depth]?.[0] as Uint8Array;
  }

  /** Sets the leaf of a record, or removes it where `sealed` is undefined. */
  set(place: RecordPlace, sealed: Uint8Array | undefined): void {
    const { index, id } = slotOf(place);
    const bucket = (this.#buckets[index] ??= new Map());
    if (sealed === undefined) bucket.delete(id);
    else bucket.set(id, leafHash(place, sealed));
    this.#changed.add(index);
  }

  /** Whether a record is the one under the root; with `undefined`, whether there is none. */
  holds(place: RecordPlace, sealed: Uint8Array | undefined): boolean {
    const { index, id } = slotOf(place);
    const leaf = this.#buckets[index]?.get(id);
    if (leaf === undefined || sealed === undefined) return leaf === sealed;
    return leaf === leafHash(place, sealed);
  }

  #rehash(): void {
    let changed: ReadonlySet<number> = this.#changed;
    const [buckets] = this.#levels as [Uint8Array[], ...Uint8Array[][]];
    for (const index of changed) {
      const bucket = this.#buckets[index] ?? new Map<string, string>();
      const leaves = [...bucket]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([, leaf]) => Buffer.from(leaf, 'latin1'));
      buckets[index] = hash('bucket', leaves);
    }
    for (let level = 1; level <= depth; level++) {
      const above = new Set([...changed].map((index) => Math.floor(index / fanOut)));
      const [below, nodes] = this.#levels.slice(level - 1, level + 1) as [Uint8Array[], Uint8Array[]];
      for (const index of above) nodes[index] = nodeHash(below, index);
      changed = above;
    }
    this.#changed.clear();
  }
}

function slotOf(place: { readonly table: string; readonly key: Uint8Array }): { index: number; id: string } {
  const slot = hash('slot', [utf8(place.table), place.key]);
  const index = (((slot[0] as number) << 8) | (slot[1] as number)) >> 4;
  return { index, id: Buffer.from(slot).toString('latin1') };
}

function nodeHash(below: readonly Uint8Array[], index: number): Uint8Array {
  return hash('node', below.slice(index * fanOut, (index + 1) * fanOut));
}

function leafHash(place: RecordPlace, sealed: Uint8Array): string {
  const version = new Uint8Array(8);
  new DataView(version.buffer).setBigUint64(0, BigInt(place.version));
  return digest('sha256', encodeFields('leaf', [utf8(place.table), place.key, version, sealed]), 'latin1');
}
