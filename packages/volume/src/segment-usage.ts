import type { JournalWriter } from './journal.ts';

/** A segment that holds less than so much of its size is sparse. */
const mostLive = 0.75;
/** Where there is no room every little counts. */
const mostLiveWhereTight = 0.95;

/** How many bytes of each segment the state refers to (docs/formats/volume.md, "Journal"). */
export class SegmentUsage {
  /** Segments that have live bytes, or had when they were last stored. */
  readonly #live: Map<number, number>;
  readonly #changed = new Set<number>();
  readonly #emptied = new Set<number>();
  /** Sizes of the files of segments that are complete. */
  readonly #sizes = new Map<number, number>();

  constructor(live: Map<number, number>) {
    this.#live = live;
  }

  get live(): ReadonlyMap<number, number> {
    return this.#live;
  }

  /** Segments that lost their last live byte and go when that is settled. */
  get emptied(): Iterable<number> {
    return this.#emptied;
  }

  get total(): number {
    let sum = 0;
    for (const live of this.#live.values()) sum += live;
    return sum;
  }

  /** So many bytes more are live, or less. */
  use(segment: number, bytes: number): void {
    const live = (this.#live.get(segment) ?? 0) + bytes;
    this.#live.set(segment, live);
    this.#changed.add(segment);
    if (live <= 0) this.#emptied.add(segment);
    else this.#emptied.delete(segment);
  }

  forget(segment: number): void {
    this.#live.delete(segment);
    this.#emptied.delete(segment);
    this.#sizes.delete(segment);
  }

  /** Puts all into the journal of a checkpoint. */
  store(journal: JournalWriter): void {
    for (const [segment, live] of this.#live) {
      if (live > 0) journal.usage(segment, live);
      else this.#live.delete(segment);
    }
  }

  /** Puts into the journal what has changed since `stored`. */
  storeChanges(journal: JournalWriter): void {
    for (const segment of this.#changed) journal.usage(segment, Math.max(0, this.#live.get(segment) ?? 0));
  }

  stored(): void {
    this.#changed.clear();
  }

  /** Complete segments as `Volume.sparseSegments` says. */
  sparse(
    dead: number,
    most: number,
    complete: (segment: number) => boolean,
    sizeOf: (segment: number) => number,
    tight: boolean,
  ): Set<number> {
    const sparse: { segment: number; live: number; size: number }[] = [];
    let [lost, kept] = [0, 0];
    for (const [segment, live] of this.#live) {
      if (live <= 0 || !complete(segment)) continue;
      let size = this.#sizes.get(segment);
      if (size === undefined) this.#sizes.set(segment, (size = sizeOf(segment)));
      lost += size - live;
      kept += live;
      if (live < size * (tight ? mostLiveWhereTight : mostLive)) sparse.push({ segment, live, size });
    }
    const chosen = new Set<number>();
    if (lost < dead || (!tight && lost < kept / 2)) return chosen;
    let moved = 0;
    for (const { segment, live } of sparse.toSorted((a, b) => a.live / a.size - b.live / b.size)) {
      if (moved + live > most && (tight || chosen.size > 0)) break;
      moved += live;
      chosen.add(segment);
    }
    return chosen;
  }
}
