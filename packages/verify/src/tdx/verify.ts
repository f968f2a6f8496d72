import { toHex } from '@ensconce/base/bytes';
import { parseTdxQuote, type TdxQuote } from '@ensconce/evidence/tdx/quote';
import { CheckList } from '../check.ts';
import { evaluateTd, type TdTcb } from './evaluate.ts';
import { judgeIntelQuote } from '../intel/judge.ts';
import { issueVerdict, type Judged, type Verdict } from '../verdict.ts';
import { parseChecked, refuse } from '../refusal.ts';
import { checkModule } from './module.ts';
import { tdxClaims, type TdxClaims } from './claims.ts';
import { unexplainedRtmrs } from './event-log.ts';
import type { IntelCollateral } from '../intel/collateral.ts';
import type { TcbInfo } from '../intel/tcb-info.ts';
import type { VerifyOptions } from '../options.ts';

function tdTcb(checks: CheckList, quote: TdxQuote, svn: Uint8Array, info: TcbInfo): TdTcb | undefined {
  const module = checkModule(checks, quote.report, svn, info);
  return module === undefined ? undefined : { svn, module };
}

async function checkEventLog(
  checks: CheckList,
  claims: TdxClaims,
  { eventLog, crypto }: VerifyOptions,
): Promise<void> {
  if (eventLog === undefined) return;
  const unexplained = await unexplainedRtmrs(crypto, claims, eventLog);
  checks.that('event log explains the RTMRs', unexplained.length === 0, {
    expected: `RTMR 0 to 3 from ${eventLog.length} events`,
    found: unexplained.length === 0 ? 'the same values' : `other values of RTMR ${unexplained.join(', ')}`,
    hint: 'the log was changed, or is of another start of the guest',
  });
}

/** Judges a quote into `checks`; undefined where it is not genuine or cannot be judged. */
export async function judgeTdx(
  bytes: Uint8Array,
  collateral: IntelCollateral | undefined,
  checks: CheckList,
  options: VerifyOptions,
): Promise<Judged | undefined> {
  const quote = parseChecked(checks, 'a TDX quote of version 4 or 5', () =>
    parseTdxQuote(bytes, options.trailing),
  );
  if (quote === undefined) return undefined;
  const judged = await judgeIntelQuote(quote, collateral, checks, options);
  if (judged === undefined) return undefined;
  const { report, authentication } = quote;
  const { pairing, simulated } = judged;
  const { tcbInfo } = pairing.prepared;
  const claims = tdxClaims(quote, pairing.chain.pck);
  await checkEventLog(checks, claims, options);
  const launch = tdTcb(checks, quote, report.teeTcbSvn, tcbInfo);
  const current = report.current === null ? null : tdTcb(checks, quote, report.current.teeTcbSvn2, tcbInfo);
  if (launch === undefined || current === undefined || checks.outcome !== 'genuine') return undefined;
  const qeSvn = authentication.qeReport.isvSvn;
  const svns = [launch, current].map((one) => (one === null ? '' : toHex(one.svn)));
  const { status, date, advisories, tcb } = pairing.rating(`tdx ${qeSvn} ${svns.join(' ')}`, () =>
    evaluateTd(pairing, qeSvn, launch, current),
  );
  return {
    simulated,
    claims,
    tcbStatus: status,
    tcbDate: date,
    advisories,
    tcb,
  };
}

/**
 * Judges an attacker-controlled TDX quote of version 4 or 5. Always gives a verdict, never throws on what evidence or collateral say. Reads no
 * clock and no network: time and collateral are arguments, and `undefined` collateral gives `undetermined` at best.
 */
export async function verifyTdxQuote(
  bytes: Uint8Array,
  collateral: IntelCollateral | undefined,
  options: VerifyOptions,
): Promise<Verdict> {
  const checks = new CheckList();
  const judged = await judgeTdx(bytes, collateral, checks, options);
  if (judged === undefined) return refuse('tdx', checks, options.at);
  return issueVerdict({ tee: 'tdx', outcome: 'genuine', ...judged, checks: checks.list, at: options.at });
}
