/** Seconds and nanoseconds since 1970. */
export interface Moment {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/**
 * The wall clock with the resolution of the monotonic one. `wall` is in whole milliseconds, `monotonic` in fractions;
 * when they drift apart, as after an adjustment of the clock, the wall counts.
 */
export function fineClock(wall: () => number, monotonic: () => number): () => Moment {
  let origin = wall() - monotonic();
  return () => {
    const coarse = wall();
    let fine = origin + monotonic();
    if (Math.abs(fine - coarse) > 3) {
      origin += coarse - fine;
      fine = coarse;
    }
    const seconds = Math.floor(fine / 1000);
    return { seconds, nanoseconds: Math.min(999_999_999, Math.floor((fine - seconds * 1000) * 1e6)) };
  };
}
