import { parseSgxQuote } from '@ensconce/evidence/sgx/quote';
import { CheckList } from '../check.ts';
import { converge, firstMissed, newestOf, type TcbJudgement } from '../intel/status.ts';
import { evaluated, unsupported, type Evaluation } from '../intel/evaluate.ts';
import { judgeIntelQuote } from '../intel/judge.ts';
import { issueVerdict, type Judged, type Verdict } from '../verdict.ts';
import { parseChecked, refuse } from '../refusal.ts';
import { findShortfall, quotingEnclave } from '../intel/shortfall.ts';
import { selectIsvLevel, selectTcbLevel } from '../intel/tcb-level.ts';
import { sgxClaims } from './claims.ts';
import type { Pairing } from '../intel/pairing.ts';
import type { IntelCollateral } from '../intel/collateral.ts';
import type { VerifyOptions } from '../options.ts';

function evaluate(qeSvn: number, { chain, prepared }: Pairing): Evaluation {
  const platform = selectTcbLevel(prepared.tcbInfo, chain.pck);
  const qe = selectIsvLevel(prepared.qeIdentity.levels, qeSvn);
  const tcb: TcbJudgement = {
    evaluationDataNumber: prepared.tcbInfo.evaluationDataNumber,
    newestDate: newestOf(prepared.tcbInfo.levels, prepared.qeIdentity.levels),
    missedDate: firstMissed([prepared.tcbInfo.levels, platform], [prepared.qeIdentity.levels, qe]),
    shortfall: findShortfall(prepared.tcbInfo, chain.pck, [
      quotingEnclave(qeSvn, prepared.qeIdentity.levels),
    ]),
    platform,
    qe,
    module: null,
    launch: null,
    current: null,
  };
  if (platform === null || qe === null) return unsupported(tcb);
  return evaluated(converge(platform.status, [qe.status]), [platform, qe], tcb);
}

/** Judges a quote into `checks`; undefined where it is not genuine or cannot be judged. */
export async function judgeSgx(
  bytes: Uint8Array,
  collateral: IntelCollateral | undefined,
  checks: CheckList,
  options: VerifyOptions,
): Promise<Judged | undefined> {
  const quote = parseChecked(checks, 'an SGX quote of version 3 to 5', () =>
    parseSgxQuote(bytes, options.trailing),
  );
  if (quote === undefined) return undefined;
  const judged = await judgeIntelQuote(quote, collateral, checks, options);
  if (judged === undefined) return undefined;
  const { pairing, simulated } = judged;
  const qeSvn = quote.authentication.qeReport.isvSvn;
  const { status, date, advisories, tcb } = pairing.rating(`sgx ${qeSvn}`, () => evaluate(qeSvn, pairing));
  return {
    simulated,
    claims: sgxClaims(quote, pairing.chain.pck),
    tcbStatus: status,
    tcbDate: date,
    advisories,
    tcb,
  };
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
  const judged = await judgeSgx(bytes, collateral, checks, options);
  if (judged === undefined) return refuse('sgx', checks, options.at);
  return issueVerdict({ tee: 'sgx', outcome: 'genuine', ...judged, checks: checks.list, at: options.at });
}
