import { createHash } from 'node:crypto';
import * as v from 'valibot';
import type { IntelCollateral } from '@ensconce/verify/intel/collateral';
import type { Verdict } from '@ensconce/verify/verdict';
import {
  amdMarks,
  intelMarks,
  judgementTime,
  noWatermark,
  raiseWatermark,
  type Mark,
  type Watermark,
} from './watermark.ts';

/** One watermark for the real vendors, and one for each set of simulated ones: a simulation never moves what counts for the real. */
export const watermarkBook = v.strictObject({
  format: v.literal('ensconce-watermarks/1'),
  anchors: v.record(
    v.pipe(v.string(), v.maxLength(128)),
    v.strictObject({
      time: v.pipe(v.number(), v.minValue(0)),
      numbers: v.record(v.string(), v.pipe(v.number(), v.minValue(0))),
    }),
  ),
});
export type WatermarkBook = v.InferOutput<typeof watermarkBook>;

export const emptyBook: WatermarkBook = { format: 'ensconce-watermarks/1', anchors: {} };

/** Where watermarks are kept. */
export interface WatermarkStore {
  /** Throws where what is kept cannot be read: to go on without it would be the roll-back that it is there to prevent. */
  read(): WatermarkBook;
  /** Applies a change to what is kept now; durable when it resolves. Nothing is written where `change` throws. */
  update(change: (before: WatermarkBook) => WatermarkBook): Promise<void>;
}

/** Keeps watermarks in memory: as good as a disk for one process. */
export class MemoryWatermarks implements WatermarkStore {
  #book = emptyBook;

  read(): WatermarkBook {
    return this.#book;
  }

  update(change: (before: WatermarkBook) => WatermarkBook): Promise<void> {
    this.#book = change(this.#book);
    return Promise.resolve();
  }
}

const production = 'production';

/** Holds judgements against what was seen before. `simulatedRoots` (DER) are those that the verifier believes. */
export class Watermarks {
  readonly #store: WatermarkStore;
  readonly #simulated: string | undefined;
  /** Marks of collateral that callers keep and never change. */
  readonly #marks = new WeakMap<IntelCollateral, readonly Mark[]>();

  constructor(store: WatermarkStore, simulatedRoots: readonly Uint8Array[] = []) {
    this.#store = store;
    const digests = simulatedRoots.map((root) => createHash('sha256').update(root).digest('hex')).sort();
    this.#simulated =
      digests.length === 0
        ? undefined
        : `simulated ${createHash('sha256').update(digests.join()).digest('hex')}`;
  }

  /** The time to judge for: the clock's, but never before the newest signed date that was seen. */
  time(clock: Date): Date {
    const { anchors } = this.#store.read();
    const seen = [production, this.#simulated].map((anchor) => anchors[anchor ?? ''] ?? noWatermark);
    return seen.reduce((time, watermark) => judgementTime(time, watermark), clock);
  }

  /** Throws `COLLATERAL_ROLLED_BACK` where collateral of real vendors is older than what was seen. Remembers nothing: nobody has verified it. */
  check(collateral: IntelCollateral): void {
    raiseWatermark(this.#store.read().anchors[production] ?? noWatermark, intelMarks(collateral));
  }

  /**
   * To be called with every genuine verdict before anything rests on it: throws `COLLATERAL_ROLLED_BACK` where its collateral is older than what
   * was seen before, else remembers it durably. `collateral` is what a quote was judged by.
   */
  async settle(verdict: Verdict, collateral: IntelCollateral | undefined): Promise<void> {
    if (verdict.outcome !== 'genuine') return;
    const marks = this.#marksOf(verdict, collateral);
    const anchor = verdict.simulated ? (this.#simulated ?? 'simulated') : production;
    const of = (book: WatermarkBook): Watermark => book.anchors[anchor] ?? noWatermark;
    const seen = of(this.#store.read());
    if (raiseWatermark(seen, marks) === seen) return;
    await this.#store.update((book) => ({
      ...book,
      anchors: { ...book.anchors, [anchor]: { ...raiseWatermark(of(book), marks) } },
    }));
  }

  #marksOf(verdict: Verdict, collateral: IntelCollateral | undefined): readonly Mark[] {
    const { claims } = verdict;
    if (claims?.tee === 'snp') return amdMarks(claims);
    if (collateral === undefined || claims === null || (claims.tee !== 'sgx' && claims.tee !== 'tdx'))
      return [];
    const known = this.#marks.get(collateral);
    if (known !== undefined) return known;
    const marks = intelMarks(collateral);
    this.#marks.set(collateral, marks);
    return marks;
  }
}
