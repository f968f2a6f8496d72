const slotSize = 32;
const leafSize = 32;
const entrySize = slotSize + leafSize + 8;

/**
 * The records of one bucket of the state's root, in the order of their slots: slot, leaf and version of each, 72 bytes in
 * one piece. As objects they would take three times that, and a million sessions have three million of them.
 */
export class Bucket {
  #bytes: Buffer = Buffer.alloc(0);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** That it takes. */
  get bytes(): number {
    return this.#bytes.length;
  }

  /** Index of a slot, or where it would stand as `-1 - index`. */
  #find(slot: Uint8Array): number {
    let [low, high] = [0, this.#count];
    const prefix = prefixOf(slot);
    while (low < high) {
      const middle = (low + high) >>> 1;
      const at = middle * entrySize;
      // Slots are hashes: four bytes tell nearly all apart, for a tenth of what a call costs.
      const order =
        this.#bytes.readUInt32BE(at) - prefix || this.#bytes.compare(slot, 0, slotSize, at, at + slotSize);
      if (order === 0) return middle;
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return -1 - low;
  }

  /** 32 bytes; a view that the next change makes worthless. */
  leafOf(slot: Uint8Array): Uint8Array | undefined {
    const index = this.#find(slot);
    return index < 0 ? undefined : this.leafAt(index);
  }

  leafAt(index: number): Uint8Array {
    const at = index * entrySize + slotSize;
    return this.#bytes.subarray(at, at + leafSize);
  }

  versionOf(slot: Uint8Array): number | undefined {
    const index = this.#find(slot);
    if (index < 0) return undefined;
    const at = index * entrySize + slotSize + leafSize;
    return this.#bytes.readUInt32BE(at) * 2 ** 32 + this.#bytes.readUInt32BE(at + 4);
  }

  set(slot: Uint8Array, leaf: Uint8Array, version: number): void {
    const found = this.#find(slot);
    const index = found < 0 ? -1 - found : found;
    if (found < 0) this.#makeRoom(index);
    const at = index * entrySize;
    this.#bytes.set(slot, at);
    this.#bytes.set(leaf, at + slotSize);
    this.#bytes.writeUInt32BE(Math.floor(version / 2 ** 32), at + slotSize + leafSize);
    this.#bytes.writeUInt32BE(version % 2 ** 32, at + slotSize + leafSize + 4);
  }

  delete(slot: Uint8Array): void {
    const index = this.#find(slot);
    if (index < 0) return;
    this.#bytes.copyWithin(index * entrySize, (index + 1) * entrySize, this.#count * entrySize);
    this.#count--;
  }

  #makeRoom(index: number): void {
    const used = this.#count * entrySize;
    if (used === this.#bytes.length) {
      const more = Buffer.alloc((this.#count + Math.max(4, this.#count >> 3)) * entrySize);
      more.set(this.#bytes);
      this.#bytes = more;
    }
    this.#bytes.copyWithin((index + 1) * entrySize, index * entrySize, used);
    this.#count++;
  }
}

const prefixOf = (slot: Uint8Array): number =>
  new DataView(slot.buffer, slot.byteOffset, slotSize).getUint32(0);
