import { createHash } from 'node:crypto';
import { utf8 } from '@ensconce/base/bytes';
import { encodeFields } from '@ensconce/base/fields';
import type { RecordPlace } from './record-cipher.ts';

const fanOut = 16;
const depth = 3;
const bucketCount = fanOut ** depth;

const hash = (label: string, fields: readonly Uint8Array[]): Uint8Array =>
  createHash('sha256').update(encodeFields(label, fields)).digest();

/**
 * One hash over all records: a tree of fixed shape, 4096 buckets by the first 12 bits of SHA-256(table, key), three
 * levels of 16 above them. A change rehashes its bucket and three nodes, whatever the number of records.
 */
export class StateRoot {
  readonly #buckets: (Map<string, Uint8Array> | undefined)[] = Array.from({ length: bucketCount });
  /** `#levels[0]` are the bucket hashes, the last level is the root alone. */
  readonly #levels: Uint8Array[][];

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
    return this.#levels[depth]?.[0] as Uint8Array;
  }

  /** Sets the leaf of a record, or removes it where `sealed` is undefined. */
  set(place: RecordPlace, sealed: Uint8Array | undefined): void {
    const slot = hash('slot', [utf8(place.table), place.key]);
    const index = (((slot[0] as number) << 8) | (slot[1] as number)) >> 4;
    const bucket = (this.#buckets[index] ??= new Map());
    const id = Buffer.from(slot).toString('latin1');
    if (sealed === undefined) bucket.delete(id);
    else bucket.set(id, leafHash(place, sealed));
    this.#rehash(index, bucket);
  }

  #rehash(index: number, bucket: Map<string, Uint8Array>): void {
    const leaves = [...bucket].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, leaf]) => leaf);
    (this.#levels[0] as Uint8Array[])[index] = hash('bucket', leaves);
    let at = index;
    for (let level = 1; level <= depth; level++) {
      at = Math.floor(at / fanOut);
      (this.#levels[level] as Uint8Array[])[at] = nodeHash(this.#levels[level - 1] as Uint8Array[], at);
    }
  }
}

function nodeHash(below: readonly Uint8Array[], index: number): Uint8Array {
  return hash('node', below.slice(index * fanOut, (index + 1) * fanOut));
}

function leafHash(place: RecordPlace, sealed: Uint8Array): Uint8Array {
  const version = new Uint8Array(8);
  new DataView(version.buffer).setBigUint64(0, BigInt(place.version));
  return hash('leaf', [utf8(place.table), place.key, version, sealed]);
}
