import { hash as digest } from 'node:crypto';
import { equalBytes, utf8 } from '@ensconce/base/bytes';
import { encodeFields } from '@ensconce/base/fields';
import { Bucket } from './bucket.ts';
import type { RecordPlace } from './record-cipher.ts';

const fanOut = 16;
const depth = 3;
const bucketCount = fanOut ** depth;

const scratch = Buffer.allocUnsafeSlow(65_536);

/** SHA-256 over `encodeFields(label, fields)`, whose bytes are not made anew for each of millions of records. Labels are ASCII. */
function hash(label: string, fields: readonly Uint8Array[]): Uint8Array {
  const size = fields.reduce((sum, field) => sum + 4 + field.length, 4 + label.length);
  if (size > scratch.length) return digest('sha256', encodeFields(label, fields), 'buffer');
  let at = scratch.writeUInt32BE(label.length, 0);
  at += scratch.write(label, at, 'latin1');
  for (const field of fields) {
    at = scratch.writeUInt32BE(field.length, at);
    scratch.set(field, at);
    at += field.length;
  }
  return digest('sha256', scratch.subarray(0, size), 'buffer');
}

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

const tables = new Map<string, Uint8Array>();

/** The bytes of a table's name. CAS has some ten; what the disk makes up besides is not remembered. */
function bytesOf(table: string): Uint8Array {
  const known = tables.get(table);
  if (known !== undefined) return known;
  const bytes = utf8(table);
  if (tables.size < 32) tables.set(table, bytes);
  return bytes;
}

const slotOf = ({ table, key }: Pick<RecordPlace, 'table' | 'key'>): Uint8Array =>
  hash('slot', [bytesOf(table), key]);

const bucketOf = (slot: Uint8Array): number => (((slot[0] as number) << 8) | (slot[1] as number)) >> 4;

function nodeHash(below: readonly Uint8Array[], index: number): Uint8Array {
  return hash('node', below.slice(index * fanOut, (index + 1) * fanOut));
}

function leafHash(place: RecordPlace, sealed: Uint8Array): Uint8Array {
  const version = new Uint8Array(8);
  new DataView(version.buffer).setBigUint64(0, BigInt(place.version));
  return hash('leaf', [bytesOf(place.table), place.key, version, sealed]);
}
