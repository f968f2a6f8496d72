const smallest = 1024;
/** A count that is no longer known: such a node stays known until the end. */
const saturated = 0xffff_ffff;

/**
 * How often the kernel has been told of each node: a hash table of numbers in two arrays, 12 bytes a slot, because the kernel
 * may know of millions of nodes.
 */
export class LookupCounts {
  #nodes = new Float64Array(smallest);
  /** 0 where the slot is free. */
  #counts = new Uint32Array(smallest);
  #size = 0;

  /** How many nodes have a count. */
  get size(): number {
    return this.#size;
  }

  /** The slot of a node, or the free one where it would go. */
  #slot(node: number): number {
    const mask = this.#nodes.length - 1;
    let slot = home(node) & mask;
    while (this.#counts[slot] !== 0 && this.#nodes[slot] !== node) slot = (slot + 1) & mask;
    return slot;
  }

  get(node: number): number {
    return this.#counts[this.#slot(node)] as number;
  }

  /** The kernel was told once more. */
  add(node: number): void {
    const slot = this.#slot(node);
    if (this.#counts[slot] !== 0) {
      if (this.#counts[slot] !== saturated) (this.#counts[slot] as number)++;
      return;
    }
    this.#nodes[slot] = node;
    this.#counts[slot] = 1;
    if (++this.#size > this.#nodes.length * 0.75) this.#resize(this.#nodes.length * 2);
  }

  /** The kernel takes back `count` times; returns what is left. */
  subtract(node: number, count: number): number {
    const slot = this.#slot(node);
    if (this.#counts[slot] === saturated) return saturated;
    const left = (this.#counts[slot] as number) - count;
    if (left > 0) {
      this.#counts[slot] = left;
      return left;
    }
    if (this.#counts[slot] !== 0) this.#remove(slot);
    return 0;
  }

  /** Frees a slot, and closes the gap: what a search would pass over it to find moves up. */
  #remove(freed: number): void {
    const mask = this.#nodes.length - 1;
    let gap = freed;
    for (let slot = (gap + 1) & mask; this.#counts[slot] !== 0; slot = (slot + 1) & mask) {
      const distance = (slot - home(this.#nodes[slot] as number)) & mask;
      if (distance < ((slot - gap) & mask)) continue;
      this.#nodes[gap] = this.#nodes[slot] as number;
      this.#counts[gap] = this.#counts[slot] as number;
      gap = slot;
    }
    this.#counts[gap] = 0;
    this.#size--;
    if (this.#nodes.length > smallest && this.#size < this.#nodes.length / 8)
      this.#resize(this.#nodes.length / 2);
  }

  #resize(slots: number): void {
    const [nodes, counts] = [this.#nodes, this.#counts];
    this.#nodes = new Float64Array(slots);
    this.#counts = new Uint32Array(slots);
    for (let old = 0; old < nodes.length; old++) {
      if (counts[old] === 0) continue;
      const slot = this.#slot(nodes[old] as number);
      this.#nodes[slot] = nodes[old] as number;
      this.#counts[slot] = counts[old] as number;
    }
  }
}

/** Spreads numbers that mostly count up. */
function home(node: number): number {
  const mixed = Math.imul((node >>> 0) ^ Math.floor(node / 0x1_0000_0000), 0x9e37_79b1);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}
