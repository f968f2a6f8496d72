import type { CheckList } from './check.ts';

/** A stretch of time in which a certificate, a revocation list or a signed statement holds. Both ends inclusive, milliseconds since 1970. */
export interface Window {
  readonly name: string;
  readonly from: number;
  readonly until: number;
  /** The check's wording, made once: windows are judged in every verification. */
  readonly expected: string;
  readonly hint: string;
}

const day = (time: number): string => new Date(time).toISOString();

export function makeWindow(name: string, from: number, until: number, hint: string): Window {
  return {
    name: `${name} is valid at this time`,
    from,
    until,
    expected: `${day(from)} to ${day(until)}`,
    hint,
  };
}

/** Checks every window against `at`. Outside of one nothing is false, but nothing is known either. */
export function checkWindows(checks: CheckList, windows: readonly Window[], at: Date): void {
  const time = at.getTime();
  const found = at.toISOString();
  for (const { name, from, until, expected, hint } of windows) {
    checks.that(name, time >= from && time <= until, { expected, found, failure: 'undetermined', hint });
  }
}
