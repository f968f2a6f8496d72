import { Buffer } from 'node:buffer';
import { SealedLayerError } from './errors.ts';
import type { Purpose, UnitRecord } from './format.ts';
import type { LayerKeys } from './keys.ts';
import { checkUnit, checkUnitRecord, decompressByNode, openUnit, type Decompress } from './unit.ts';

/**
 * Reads bytes of the file from `position` into `into`; returns how many, 0 at the end. What it gives is untrusted and
 * is copied before it is looked at.
 */
export type ReadAt = (into: Uint8Array, position: number) => number;

/** Reads exactly as many bytes as `into` holds. */
export function readExactly(readAt: ReadAt, into: Uint8Array, position: number, what: string): void {
  let done = 0;
  while (done < into.length) {
    let count: number;
    try {
      count = readAt(into.subarray(done), position + done);
    } catch (cause) {
      throw new SealedLayerError(
        'SEALED_READ',
        `${what}: ${into.length} bytes at ${position} cannot be read`,
        { cause },
      );
    }
    if (count <= 0 || count > into.length - done) {
      throw new SealedLayerError(
        'SEALED_READ',
        `${what}: ${into.length} bytes at ${position} expected, ${done} found`,
        { hint: 'the sealed layer is truncated; pull the image again' },
      );
    }
    done += count;
  }
}

/** Reads and opens the units of one file. */
export class Units {
  readonly name: string;
  readonly #keys: LayerKeys;
  readonly #readAt: ReadAt;
  readonly #fileSize: number;
  #scratch = Buffer.allocUnsafeSlow(131_072);

  readonly #decompress: Decompress;

  constructor(
    name: string,
    keys: LayerKeys,
    readAt: ReadAt,
    fileSize: number,
    decompress: Decompress = decompressByNode,
  ) {
    this.#decompress = decompress;
    this.name = name;
    this.#keys = keys;
    this.#readAt = readAt;
    this.#fileSize = fileSize;
  }

  #stored(kind: Purpose, index: number, record: UnitRecord, plainLength: number): Uint8Array {
    const what = `${this.name}: ${kind} ${index}`;
    checkUnitRecord(record, plainLength, this.#fileSize, what);
    if (record.storedLength > this.#scratch.length)
      this.#scratch = Buffer.allocUnsafeSlow(record.storedLength);
    const stored = this.#scratch.subarray(0, record.storedLength);
    readExactly(this.#readAt, stored, record.offset, what);
    return stored;
  }

  open(kind: Purpose, index: number, record: UnitRecord, plainLength: number): Uint8Array {
    const stored = this.#stored(kind, index, record, plainLength);
    return openUnit(this.#keys, kind, index, record, plainLength, stored, this.name, this.#decompress);
  }

  /** Authenticates a unit against the host, without decompressing it. */
  check(kind: Purpose, index: number, record: UnitRecord, plainLength: number): void {
    const stored = this.#stored(kind, index, record, plainLength);
    checkUnit(this.#keys, kind, index, record, plainLength, stored, this.name);
  }
}
