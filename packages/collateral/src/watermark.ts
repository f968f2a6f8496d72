import { parseRevocationList } from '@ensconce/x509/crl';
import type { IntelCollateral } from '@ensconce/verify/intel/collateral';
import { CollateralError } from './errors.ts';

/** The highest numbers and dates seen so far, to be kept where an attacker cannot roll them back. Plain data, so that it can be stored. */
export interface Watermark {
  /** Milliseconds since 1970: no judgement is made for a time before it. */
  readonly time: number;
  /** Evaluation and CRL numbers by what they are of. */
  readonly numbers: Readonly<Record<string, number>>;
}

export const noWatermark: Watermark = { time: 0, numbers: {} };

interface Statement {
  readonly id?: unknown;
  readonly fmspc?: unknown;
  readonly issueDate?: unknown;
  readonly tcbEvaluationDataNumber?: unknown;
}

function statementMarks(text: string | undefined): [string, number, number][] {
  if (text === undefined) return [];
  const statement = JSON.parse(text) as Statement;
  const id = typeof statement.id === 'string' ? statement.id : 'SGX';
  const of =
    typeof statement.fmspc === 'string' ? `tcb ${id} ${statement.fmspc.toLowerCase()}` : `identity ${id}`;
  const date = typeof statement.issueDate === 'string' ? Date.parse(statement.issueDate) : Number.NaN;
  const number = Number(statement.tcbEvaluationDataNumber ?? Number.NaN);
  return [[of, number, date]];
}

function listMarks(der: Uint8Array | undefined): [string, number, number][] {
  if (der === undefined) return [];
  const list = parseRevocationList(der);
  return [[`crl ${list.issuer.commonName}`, Number(list.number ?? 0n), list.thisUpdate]];
}

/**
 * The watermark after collateral that a verdict has found genuine. Collateral below it is refused (`COLLATERAL_ROLLED_BACK`): hosts and caches could
 * otherwise hand out old statements that are still within their dates.
 */
export function advanceWatermark(before: Watermark, collateral: IntelCollateral): Watermark {
  const marks = [
    ...statementMarks(collateral.tcbInfo),
    ...statementMarks(collateral.qeIdentity),
    ...listMarks(collateral.pckCrl),
    ...listMarks(collateral.rootCaCrl),
  ];
  const numbers: Record<string, number> = { ...before.numbers };
  let { time } = before;
  for (const [of, number, date] of marks) {
    const seen = numbers[of];
    if (seen !== undefined && number < seen) {
      throw new CollateralError(
        'COLLATERAL_ROLLED_BACK',
        `${of}: number ${seen} or higher expected, ${number} found`,
        {
          hint: 'the host or a cache serves old collateral; fetch it from the vendor',
        },
      );
    }
    if (Number.isFinite(number)) numbers[of] = number;
    if (Number.isFinite(date)) time = Math.max(time, date);
  }
  return { time, numbers };
}

/** The time to judge for: the host's clock, but never before the newest signed date that was seen. */
export function judgementTime(clock: Date, watermark: Watermark): Date {
  return new Date(Math.max(clock.getTime(), watermark.time));
}
