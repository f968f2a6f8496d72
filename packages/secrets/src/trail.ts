import { SecretsError } from './errors.ts';

/** Sessions that import from each other one after the other, at most, whatever CASes they are in. */
const longestTrail = 16;
/** Other CASes on the way, at most. */
const mostCases = 4;
/** Secrets that are followed for one start, at most: every session on the way may name many. */
const mostSteps = 4096;

/** One secret on the way of an import: `KEY-HASH-OF-CAS/session:secret`. */
export type Step = string;

/** The way of an import through sessions and CASes: it ends, and never passes the same secret twice. */
export class Trail {
  /** Key hash of the CAS that follows the import now. */
  readonly cas: string;
  readonly steps: readonly Step[];
  /** When whoever began it gives up, on the clock of whoever gave it. */
  readonly deadline: number;
  readonly #work: { left: number };

  private constructor(cas: string, steps: readonly Step[], deadline: number, work: { left: number }) {
    this.cas = cas;
    this.steps = steps;
    this.deadline = deadline;
    this.#work = work;
  }

  /** @param steps what another CAS says it has passed; untrusted, it can only end the import sooner. */
  static begin(cas: string, deadline: number, steps: readonly Step[] = []): Trail {
    return new Trail(cas, steps, deadline, { left: mostSteps });
  }

  /** The way with one more secret on it. Throws `SECRETS_IMPORT` where that is a circle, or too long. */
  enter(step: {
    readonly session: string;
    readonly secret: string;
    readonly cas?: string | undefined;
  }): Trail {
    const { cas = this.cas, session, secret } = step;
    const next = `${cas}/${session}:${secret}`;
    const steps = [...this.steps, next];
    const cases = new Set(steps.map((one) => one.slice(0, one.indexOf('/'))));
    const tooLong = steps.length > longestTrail || cases.size > mostCases || this.#work.left-- <= 0;
    if (this.steps.includes(next) || tooLong) {
      throw new SecretsError(
        'SECRETS_IMPORT',
        `import of secret ${secret} of session ${session}: a way that ends, over at most ${longestTrail} secrets and ` +
          `${mostCases} CASes, expected, ${steps.slice(-longestTrail).join(' → ')} found`,
      );
    }
    return new Trail(this.cas, steps, this.deadline, this.#work);
  }
}
