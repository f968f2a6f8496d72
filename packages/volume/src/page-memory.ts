/** Bytes of a page's entries; a page is sealed with its header as one frame. */
export const pageCapacity = 16 * 1024;
/** So many entries have their offsets in the page's own memory. */
const offsets = 1024;
/** Memory of forgotten pages that is kept for new ones; what is more goes to the garbage collector. */
const kept = 256;

/** What one page takes in memory. */
export interface PageMemory {
  readonly bytes: Uint8Array;
  readonly offsets: Uint16Array;
}

export function newPageMemory(): PageMemory {
  const buffer = new ArrayBuffer(pageCapacity + 2 * offsets);
  return {
    bytes: new Uint8Array(buffer, 0, pageCapacity),
    offsets: new Uint16Array(buffer, pageCapacity, offsets),
  };
}

/**
 * Memory of pages, used again instead of left to the garbage collector, which lets tens of megabytes of it pile up. Values
 * are views of a page's memory: it is used again only after `reuse` has said that none is in use any more.
 */
export class PageMemories {
  readonly #free: PageMemory[] = [];
  readonly #retired: PageMemory[] = [];

  /** It may hold what another page held. */
  take(): PageMemory {
    return this.#free.pop() ?? newPageMemory();
  }

  /** The page of this memory has been forgotten; views of it may still be in use. */
  retire(memory: PageMemory): void {
    if (this.#retired.length < kept) this.#retired.push(memory);
  }

  /** No view of a retired page is in use. */
  reuse(): void {
    if (this.#retired.length === 0) return;
    for (const memory of this.#retired) if (this.#free.length < kept) this.#free.push(memory);
    this.#retired.length = 0;
  }
}
