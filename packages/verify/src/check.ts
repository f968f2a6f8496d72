/** What a failed check means for the evidence: it is false, or it could not be judged. */
export type Failure = 'not-genuine' | 'undetermined';

/** One step of a judgement, in words for the person who must act on it. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly expected: string;
  readonly found: string;
  /** What to do about it; only on failure. */
  readonly hint?: string;
  /** Only on failure, and only where it decides about genuineness. */
  readonly failure?: Failure;
}

/** What a check says beyond yes or no. */
export interface Wording {
  readonly expected: string;
  readonly found: string;
  readonly hint?: string | undefined;
  /** Without it a failed check means `not-genuine`. */
  readonly failure?: Failure;
}

/** A passed check is a constant wherever its words are; making them once keeps warm judgements cheap. */
export function passed(name: string, expected: string, found: string = expected): Check {
  return Object.freeze({ name, ok: true, expected, found });
}

/** What to do where a check has nothing better to say. */
export const hints = {
  evidence:
    'it was changed on its way, or never made by the vendor’s hardware: have new evidence made, and ask who gave you this one',
  collateral: 'it was changed or damaged: fetch it anew with `ensconce evidence collateral fetch`',
} as const;

/** Collects checks in the order they are made. Each that fails says what to do. */
export class CheckList {
  readonly #hint: string;
  readonly #checks: Check[] = [];
  #failure: Failure | undefined;

  constructor(hint: string = hints.evidence) {
    this.#hint = hint;
  }

  /** Records one check and gives `ok` back. */
  that(name: string, ok: boolean, wording: Wording): boolean {
    const { expected, found, hint = this.#hint } = wording;
    if (ok) {
      this.#checks.push(passed(name, expected, found));
      return true;
    }
    const failure = wording.failure ?? 'not-genuine';
    this.#checks.push(Object.freeze({ name, ok, expected, found, hint, failure }));
    this.#note(failure);
    return false;
  }

  /** Takes over checks that another list recorded. */
  add(checks: readonly Check[]): void {
    for (const check of checks) {
      this.#checks.push(check);
      if (check.failure !== undefined) this.#note(check.failure);
    }
  }

  #note(failure: Failure): void {
    if (this.#failure !== 'not-genuine') this.#failure = failure;
  }

  /** The worst of all: false evidence outweighs missing collateral. */
  get outcome(): 'genuine' | Failure {
    return this.#failure ?? 'genuine';
  }

  /** All of them, frozen: nothing can be recorded afterwards. */
  get list(): readonly Check[] {
    return Object.freeze(this.#checks);
  }
}
