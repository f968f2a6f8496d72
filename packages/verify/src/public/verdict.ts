export { Verdict, type Outcome, type VerdictContent } from '../verdict.ts';
