import type { Check } from './check.ts';
import type { Claims } from './claims.ts';
import type { TcbJudgement, TcbStatus } from './intel/status.ts';

/**
 * `genuine`: hardware of the vendor (or its simulation) made the evidence, whatever state it is in. `not-genuine`: something is
 * false. `undetermined`: nothing is false, but collateral is missing, or not valid at the time asked for.
 */
export type Outcome = 'genuine' | 'not-genuine' | 'undetermined';

export interface VerdictContent {
  readonly tee: Claims['tee'];
  readonly outcome: Outcome;
  /** True where a simulated vendor vouches: the evidence then protects nothing. */
  readonly simulated: boolean;
  /** Only of genuine evidence. */
  readonly claims: Claims | null;
  /** In the vendor's words; null where the vendor gives none (AMD, Nitro), or the outcome is not `genuine`. */
  readonly tcbStatus: TcbStatus | null;
  /** ISO 8601; the day the TCB level that the platform meets was published. */
  readonly tcbDate: string | null;
  /** Sorted, each once. */
  readonly advisories: readonly string[];
  /** How the status came about; Intel only. */
  readonly tcb: TcbJudgement | null;
  readonly checks: readonly Check[];
  readonly at: Date;
}

/** What judging finds of genuine evidence, before it becomes a verdict. */
export type Judged = Pick<
  VerdictContent,
  'claims' | 'simulated' | 'tcbStatus' | 'tcbDate' | 'advisories' | 'tcb'
>;

const authority = Symbol('verdict');

/** Freezes what parsing made, to its depth; what is frozen already, a list of checks or what comes from a cache, is left alone. */
export function freeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return;
  Object.freeze(value);
  if (Array.isArray(value)) for (const item of value as unknown[]) freeze(item);
  else for (const key in value) freeze((value as Record<string, unknown>)[key]);
}

/** What the verifier found. Only the verifier makes one, and it cannot be changed, so code that takes a `Verdict` takes no claim on trust. */
export class Verdict {
  readonly #content: VerdictContent;

  constructor(key: symbol, content: VerdictContent) {
    if (key !== authority) throw new TypeError('only the verifier makes verdicts');
    freeze(content);
    this.#content = content;
    Object.freeze(this);
  }

  static is(value: unknown): value is Verdict {
    return typeof value === 'object' && value !== null && #content in value;
  }

  get tee(): Claims['tee'] {
    return this.#content.tee;
  }
  get outcome(): Outcome {
    return this.#content.outcome;
  }
  get simulated(): boolean {
    return this.#content.simulated;
  }
  get claims(): Claims | null {
    return this.#content.claims;
  }
  get tcbStatus(): TcbStatus | null {
    return this.#content.tcbStatus;
  }
  get tcbDate(): string | null {
    return this.#content.tcbDate;
  }
  get advisories(): readonly string[] {
    return this.#content.advisories;
  }
  get tcb(): TcbJudgement | null {
    return this.#content.tcb;
  }
  get checks(): readonly Check[] {
    return this.#content.checks;
  }
  /** Milliseconds since 1970 of the time judged for. */
  get at(): number {
    return this.#content.at.getTime();
  }
  /** The checks that failed, the decisive one first. */
  get failures(): readonly Check[] {
    const failed = this.#content.checks.filter((check) => !check.ok);
    return failed.sort((a, b) => Number(b.failure === 'not-genuine') - Number(a.failure === 'not-genuine'));
  }

  toJSON(): Record<string, unknown> {
    return { ...this.#content, at: this.#content.at.toISOString() };
  }
}

/** Makes a verdict. Not among the package's exports. */
export function issueVerdict(content: VerdictContent): Verdict {
  return new Verdict(authority, content);
}
