/** Milliseconds. */
const shortest = 1000;
const longest = 60_000;
/** Peers that are remembered, at most. */
const mostPeers = 1024;

/** Which peers are not asked for a while because they did not answer: each failure doubles the time, a success ends it. */
export class BackOff {
  readonly #peers = new Map<string, { pause: number; until: number }>();

  /** Milliseconds for which `peer` is not to be asked; 0 where it may be. `now` is any clock that only goes forward. */
  pause(peer: string, now: number): number {
    return Math.max(0, (this.#peers.get(peer)?.until ?? 0) - now);
  }

  failed(peer: string, now: number): void {
    const before = this.#peers.get(peer);
    // Those that were on their way together count once.
    if (before !== undefined && before.until > now) return;
    const pause = Math.min(longest, before === undefined ? shortest : before.pause * 2);
    this.#peers.delete(peer);
    this.#peers.set(peer, { pause, until: now + pause });
    if (this.#peers.size > mostPeers) this.#peers.delete(this.#peers.keys().next().value ?? '');
  }

  succeeded(peer: string): void {
    this.#peers.delete(peer);
  }
}
