import { passed, type Check, type CheckList } from './check.ts';

/** A stretch of time in which a certificate, a revocation list or a signed statement holds. Both ends inclusive, milliseconds since 1970. */
export interface Window {
  readonly name: string;
  readonly from: number;
  readonly until: number;
  /** The check's wording, made once: windows are judged in every verification. */
  readonly expected: string;
  readonly hint: string;
  readonly met: readonly [Check];
}

/** Windows that are judged together, with the time in which all of them are met. */
export interface Windows {
  readonly all: readonly Window[];
  readonly from: number;
  readonly until: number;
  readonly met: readonly Check[];
}

const day = (time: number): string => new Date(time).toISOString();

export function makeWindow(name: string, from: number, until: number, hint: string): Window {
  const check = `${name} is valid at this time`;
  const expected = `${day(from)} to ${day(until)}`;
  return { name: check, from, until, expected, hint, met: [passed(check, expected, 'a time within')] };
}

export function joinWindows(all: readonly Window[]): Windows {
  return {
    all,
    from: Math.max(...all.map((window) => window.from)),
    until: Math.min(...all.map((window) => window.until)),
    met: Object.freeze(all.flatMap((window) => window.met)),
  };
}

/** Checks every window against `at`. Outside of one nothing is false, but nothing is known either. */
export function checkWindows(checks: CheckList, windows: Windows, at: Date): void {
  const time = at.getTime();
  if (time >= windows.from && time <= windows.until) {
    checks.add(windows.met);
    return;
  }
  for (const { name, from, until, expected, hint, met } of windows.all) {
    if (time >= from && time <= until) checks.add(met);
    else checks.that(name, false, { expected, found: at.toISOString(), failure: 'undetermined', hint });
  }
}
