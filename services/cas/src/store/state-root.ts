import { hash as digest } from 'node:crypto';
import { equalBytes, utf8 } from '@ensconce/base/bytes';
import { encodeFields } from '@ensconce/base/fields';
import { Bucket } from './bucket.ts';
import type { RecordPlace } from './record-cipher.ts';
import { scratchFields } from './scratch-fields.ts';

const fanOut = 16;
const depth = 3;
const bucketCount = fanOut ** depth;

/** SHA-256 over `encodeFields(label, fields)`. */
function hash(label: string, fields: readonly (string | Uint8Array)[]): Uint8Array {
  return digest('sha256', scratchFields(label, fields) ?? encodeFields(label, fields.map(bytesOf)), 'buffer');
}

const bytesOf = (field: string | Uint8Array): Uint8Array => (typeof field === 'string' ? utf8(field) : field);

/**
 * One hash over all records: a tree of fixed shape, 4096 buckets by the first 12 bits of SHA-256(table, key), three
 * levels of 16 above them. A commit rehashes the buckets that it changed and the
 * nodes above them, whatever the number of records.
 */
export class StateRoot {
  readonly #buckets: (Bucket | undefined)[] = Array.from({ length: bucketCount });
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
    const slot = slotOf(place);
    const index = bucketOf(slot);
    const bucket = (this.#buckets[index] ??= new Bucket());
    if (sealed === undefined) bucket.delete(slot);
    else bucket.set(slot, leafHash(place, sealed), place.version);
    this.#changed.add(index);
  }

  /** Version of the record that stands there under the root; undefined where there is none. */
  versionOf(place: Pick<RecordPlace, 'table' | 'key'>): number | undefined {
    const slot = slotOf(place);
    return this.#buckets[bucketOf(slot)]?.versionOf(slot);
  }

  /** Whether a record is the one under the root; with `undefined`, whether there is none. */
  holds(place: RecordPlace, sealed: Uint8Array | undefined): boolean {
    const slot = slotOf(place);
    const leaf = this.#buckets[bucketOf(slot)]?.leafOf(slot);
    if (leaf === undefined || sealed === undefined) return leaf === sealed;
    return equalBytes(leaf, leafHash(place, sealed));
  }

  #rehash(): void {
    let changed: ReadonlySet<number> = this.#changed;
    const [buckets] = this.#levels as [Uint8Array[], ...Uint8Array[][]];
    for (const index of changed) {
      const bucket = this.#buckets[index];
      const leaves = Array.from({ length: bucket?.count ?? 0 }, (_, i) => (bucket as Bucket).leafAt(i));
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

const slotOf = ({ table, key }: Pick<RecordPlace, 'table' | 'key'>): Uint8Array => hash('slot', [table, key]);

const bucketOf = (slot: Uint8Array): number => (((slot[0] as number) << 8) | (slot[1] as number)) >> 4;

function nodeHash(below: readonly Uint8Array[], index: number): Uint8Array {
  return hash('node', below.slice(index * fanOut, (index + 1) * fanOut));
}

function leafHash(place: RecordPlace, sealed: Uint8Array): Uint8Array {
  const version = new Uint8Array(8);
  new DataView(version.buffer).setBigUint64(0, BigInt(place.version));
  return hash('leaf', [place.table, place.key, version, sealed]);
}
