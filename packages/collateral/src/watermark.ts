import { parseRevocationList } from '@ensconce/x509/crl';
import type { IntelCollateral } from '@ensconce/verify/intel/collateral';
import type { SnpClaims } from '@ensconce/verify/snp/claims';
import { CollateralError } from './errors.ts';

/** The highest numbers and dates seen so far, to be kept where an attacker cannot roll them back. Plain data, so that it can be stored. */
export interface Watermark {
  /** Milliseconds since 1970: no judgement is made for a time before it. */
  readonly time: number;
  /** Evaluation and CRL numbers by what they are of. */
  readonly numbers: Readonly<Record<string, number>>;
}

export const noWatermark: Watermark = { time: 0, numbers: {} };

/** One signed statement: what it is of, its number, and the milliseconds since 1970 of its date. Either may be NaN. */
export type Mark = readonly [of: string, number: number, date: number];

interface Statement {
  readonly id?: unknown;
  readonly fmspc?: unknown;
  readonly issueDate?: unknown;
  readonly tcbEvaluationDataNumber?: unknown;
}

function statementMarks(text: string | undefined): Mark[] {
  if (text === undefined) return [];
  const statement = JSON.parse(text) as Statement;
  const id = typeof statement.id === 'string' ? statement.id : 'SGX';
  const of =
    typeof statement.fmspc === 'string' ? `tcb ${id} ${statement.fmspc.toLowerCase()}` : `identity ${id}`;
  const date = typeof statement.issueDate === 'string' ? Date.parse(statement.issueDate) : Number.NaN;
  const number = Number(statement.tcbEvaluationDataNumber ?? Number.NaN);
  return [[of, number, date]];
}

function listMarks(der: Uint8Array | undefined): Mark[] {
  if (der === undefined) return [];
  const list = parseRevocationList(der);
  return [[`crl ${list.issuer.commonName}`, Number(list.number ?? 0n), list.thisUpdate]];
}

/** What Intel signed of the collateral that a quote was judged by. */
export function intelMarks(collateral: IntelCollateral): Mark[] {
  return [
    ...statementMarks(collateral.tcbInfo),
    ...statementMarks(collateral.qeIdentity),
    ...listMarks(collateral.pckCrl),
    ...listMarks(collateral.rootCaCrl),
  ];
}

/** What AMD signed and dated of the collateral that a report was judged by. */
export function amdMarks({ revocationList: list }: SnpClaims): Mark[] {
  return list === null
    ? []
    : [[`crl ${list.issuer}`, Number(list.number ?? Number.NaN), Date.parse(list.thisUpdate)]];
}

/**
 * The watermark after statements that a verdict has found genuine. Statements below it are refused (`COLLATERAL_ROLLED_BACK`): hosts and caches could
 * otherwise hand out old statements that are still within their dates. Gives `before` itself where nothing is newer.
 */
export function raiseWatermark(before: Watermark, marks: readonly Mark[]): Watermark {
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
  const same =
    time === before.time && Object.entries(numbers).every(([of, number]) => before.numbers[of] === number);
  return same ? before : { time, numbers };
}

/** {@link raiseWatermark} by the collateral of a quote. */
export function advanceWatermark(before: Watermark, collateral: IntelCollateral): Watermark {
  return raiseWatermark(before, intelMarks(collateral));
}

/** The time to judge for: the host's clock, but never before the newest signed date that was seen. */
export function judgementTime(clock: Date, watermark: Watermark): Date {
  return new Date(Math.max(clock.getTime(), watermark.time));
}
