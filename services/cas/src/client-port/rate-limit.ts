/** A token bucket per caller. Bounded: with too many callers the one seen longest ago is forgotten. */
export class RateLimit {
  readonly #buckets = new Map<string, { tokens: number; at: number }>();
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #callers: number;

  constructor(options: { readonly perSecond: number; readonly burst: number; readonly callers: number }) {
    this.#perSecond = options.perSecond;
    this.#burst = options.burst;
    this.#callers = options.callers;
  }

  /** Takes one thing of `caller` at `now` (milliseconds); the seconds to wait, 0 where it may be done. */
  take(caller: string, now: number): number {
    const bucket = this.#buckets.get(caller) ?? { tokens: this.#burst, at: now };
    const passed = Math.max(0, now - bucket.at) / 1000;
    const tokens = Math.min(this.#burst, bucket.tokens + passed * this.#perSecond);
    const allowed = tokens >= 1;
    this.#buckets.delete(caller);
    this.#buckets.set(caller, { tokens: allowed ? tokens - 1 : tokens, at: now });
    if (this.#buckets.size > this.#callers) {
      this.#buckets.delete(this.#buckets.keys().next().value as string);
    }
    return allowed ? 0 : Math.max(1, Math.ceil((1 - tokens) / this.#perSecond));
  }
}
