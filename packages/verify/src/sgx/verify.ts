import { EvidenceError } from '@ensconce/evidence/errors';
import { parseSgxQuote, type SgxQuote } from '@ensconce/evidence/sgx/quote';
import { CheckList } from '../check.ts';
import {
  converge,
  joinMatches,
  type LevelMatch,
  type TcbJudgement,
  type TcbStatus,
} from '../intel/status.ts';
import { judgeIntelQuote, type Judged } from '../intel/judge.ts';
import { issueVerdict, type Verdict } from '../verdict.ts';
import { selectIsvLevel, selectTcbLevel } from '../intel/tcb-level.ts';
import { sgxClaims } from './claims.ts';
import type { IntelCollateral } from '../intel/collateral.ts';
import type { VerifyOptions } from '../options.ts';

interface Evaluation {
  readonly status: TcbStatus;
  readonly date: string | null;
  readonly advisories: readonly string[];
  readonly tcb: TcbJudgement;
}

function evaluate(quote: SgxQuote, { certified, prepared }: Judged): Evaluation {
  const platform = selectTcbLevel(prepared.tcbInfo, certified.pck);
  const qe = selectIsvLevel(prepared.qeIdentity.levels, quote.authentication.qeReport.isvSvn);
  const tcb: TcbJudgement = {
    evaluationDataNumber: prepared.tcbInfo.evaluationDataNumber,
    platform,
    qe,
    module: null,
    launch: null,
    current: null,
  };
  if (platform === null || qe === null) return { status: 'TcbNotSupported', date: null, advisories: [], tcb };
  const matches: readonly LevelMatch[] = [platform, qe];
  return { status: converge(platform.status, [qe.status]), tcb, ...joinMatches(matches) };
}

function refused(checks: CheckList, options: VerifyOptions): Verdict {
  return issueVerdict({
    tee: 'sgx',
    outcome: checks.outcome,
    simulated: false,
    claims: null,
    tcbStatus: null,
    tcbDate: null,
    advisories: [],
    tcb: null,
    checks: checks.list,
    at: options.at,
  });
}

function parse(bytes: Uint8Array, checks: CheckList, options: VerifyOptions): SgxQuote | undefined {
  try {
    const quote = parseSgxQuote(bytes, options.trailing);
    checks.that('quote is readable', true, {
      expected: 'an SGX quote of version 3',
      found: 'an SGX quote of version 3',
    });
    return quote;
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    checks.that('quote is readable', false, {
      expected: 'an SGX quote of version 3',
      found: error.message,
      hint: error.hint,
    });
    return undefined;
  }
}

/**
 * Judges an attacker-controlled SGX quote. Always gives a verdict, never throws on what evidence or collateral say. Reads no clock and no
 * network: time and collateral are arguments, and `undefined` collateral gives `undetermined` at best.
 */
export async function verifySgxQuote(
  bytes: Uint8Array,
  collateral: IntelCollateral | undefined,
  options: VerifyOptions,
): Promise<Verdict> {
  const checks = new CheckList();
  const quote = parse(bytes, checks, options);
  if (quote === undefined) return refused(checks, options);
  const judged = await judgeIntelQuote(quote, collateral, checks, options);
  if (judged === undefined) return refused(checks, options);
  const { status, date, advisories, tcb } = evaluate(quote, judged);
  return issueVerdict({
    tee: 'sgx',
    outcome: 'genuine',
    simulated: judged.simulated,
    claims: sgxClaims(quote, judged.certified.pck),
    tcbStatus: status,
    tcbDate: date,
    advisories,
    tcb,
    checks: checks.list,
    at: options.at,
  });
}
