import { EvidenceError } from '@ensconce/evidence/errors';
import { issueVerdict, type Verdict } from './verdict.ts';
import type { CheckList } from './check.ts';
import type { Claims } from './claims.ts';

/** The verdict on evidence that is not genuine or could not be judged: it carries no claim. */
export function refuse(tee: Claims['tee'], checks: CheckList, at: Date): Verdict {
  return issueVerdict({
    tee,
    outcome: checks.outcome,
    simulated: false,
    claims: null,
    tcbStatus: null,
    tcbDate: null,
    advisories: [],
    tcb: null,
    checks: checks.list,
    at,
  });
}

/** Parses evidence as the first check of a judgement; undefined where it cannot be read. */
export function parseChecked<T>(checks: CheckList, expected: string, parse: () => T): T | undefined {
  try {
    const value = parse();
    checks.that('evidence is readable', true, { expected, found: expected });
    return value;
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    checks.that('evidence is readable', false, { expected, found: error.message, hint: error.hint });
    return undefined;
  }
}
