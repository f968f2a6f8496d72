import { CollateralError } from '@ensconce/collateral/errors';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { appraise, type Appraisal, type Decision } from '@ensconce/verify/appraisal';
import { verifyEvidence } from '@ensconce/verify/verify';
import type { AppraisalPolicy } from '@ensconce/verify/policy';
import type { Check } from '@ensconce/verify/check';
import type { CollateralPool } from '@ensconce/verify/collateral-pool';
import { Verdict } from '@ensconce/verify/verdict';
import type { Watermarks } from '@ensconce/collateral/watermarks';
import { EvidenceError } from '@ensconce/evidence/errors';
import { unpackEvidence } from '@ensconce/evidence/packaging';
import { packagedExtensions } from '@ensconce/verify/tdx/event-log';
import { knownFormats } from './formats.ts';
import { verdictExitCodes, type CommandResult } from './exit-code.ts';

export interface VerifyCommand {
  readonly evidence: Uint8Array;
  readonly pool: CollateralPool;
  readonly at: Date;
  /** Undefined: the platform alone is judged; up to date and not debug is accepted. */
  readonly policy: AppraisalPolicy | undefined;
  /** Further notes on the policy, for the output. */
  readonly notes?: readonly string[] | undefined;
  readonly json: boolean;
  readonly allowTrailing: boolean;
  /** DER. */
  readonly tpmRoots?: readonly Uint8Array[] | undefined;
  /** DER. */
  readonly insecureSimulatedRoots: readonly Uint8Array[];
  /** What was seen of collateral before; undefined for a what-if that neither asks nor changes it. */
  readonly watermarks?: Watermarks | undefined;
}

/** Without a policy nobody is asked who wrote the code. Simulation is let through here only where its root was named on the command line. */
const platformOnly: AppraisalPolicy = {
  acceptSimulation: true,
  tolerate: [],
  ignoreAdvisories: [],
  sgx: 'not-checked',
  tdx: 'not-checked',
  snp: 'not-checked',
  nitro: 'not-checked',
  tpm: 'not-checked',
  reportData: 'not-checked',
};

/** Evidence that is none, or that cannot be taken out of what it is wrapped in. */
interface Unreadable {
  readonly found: string;
  readonly hint?: string | undefined;
}

/** The one object that `--json` prints. */
export interface VerificationReport {
  readonly verdict: Decision;
  readonly tee: string | null;
  readonly simulated: boolean;
  readonly tcbStatus: string | null;
  readonly tcbDate: string | null;
  readonly advisories: readonly string[];
  readonly identityChecked: boolean;
  readonly reportDataChecked: boolean;
  readonly at: string;
  readonly claims: unknown;
  readonly tcb: unknown;
  readonly checks: readonly Check[];
  readonly notes: readonly string[];
}

function unreadable(at: Date, { found, hint }: Unreadable): VerificationReport {
  return {
    verdict: 'not-genuine',
    tee: null,
    simulated: false,
    tcbStatus: null,
    tcbDate: null,
    advisories: [],
    identityChecked: false,
    reportDataChecked: false,
    at: at.toISOString(),
    claims: null,
    tcb: null,
    checks: [
      {
        name: 'evidence is readable',
        ok: false,
        expected: knownFormats,
        found,
        hint:
          hint ??
          'give its bytes, hexadecimal, base64, or the JSON that a tool wrote; `ensconce evidence show` prints what is in it',
        failure: 'not-genuine',
      },
    ],
    notes: [],
  };
}

function notesOf(appraisal: Appraisal, policy: AppraisalPolicy | undefined): string[] {
  const { verdict } = appraisal;
  const { claims } = verdict;
  if (claims === null) return [];
  const notes: string[] = [];
  if (verdict.simulated)
    notes.push('SIMULATED: a simulated vendor vouches for this evidence; it protects nothing');
  if (!appraisal.identityChecked) notes.push('identity not checked: any code could have made this evidence');
  if (!appraisal.reportDataChecked) notes.push('report data not checked: the evidence may be a replay');
  if (claims.tee === 'tpm') notes.push('a TPM says what was started; it protects no memory from the host');
  if (claims.tee === 'snp') {
    const minimum =
      policy?.snp !== undefined &&
      policy.snp !== 'not-checked' &&
      policy.snp.some((one) => one.minimumTcb !== undefined);
    if (!minimum)
      notes.push('minimum TCB not checked: AMD publishes no rating of TCB levels, name one in a policy');
    if (!claims.revocationChecked) notes.push('revocation not checked: no valid revocation list was given');
  }
  return notes;
}

function reportOf(appraisal: Appraisal, policy: AppraisalPolicy | undefined): VerificationReport {
  const { verdict } = appraisal;
  return {
    verdict: appraisal.decision,
    tee: verdict.tee,
    simulated: verdict.simulated,
    tcbStatus: verdict.tcbStatus,
    tcbDate: verdict.tcbDate,
    advisories: verdict.advisories,
    identityChecked: appraisal.identityChecked,
    reportDataChecked: appraisal.reportDataChecked,
    at: new Date(verdict.at).toISOString(),
    claims: verdict.claims,
    tcb: verdict.tcb,
    checks: [...verdict.checks, ...appraisal.checks],
    notes: notesOf(appraisal, policy),
  };
}

/** Collateral that is older than what was seen before decides nothing: the newer may say otherwise. */
function withRollBack(report: VerificationReport, error: CollateralError): VerificationReport {
  return {
    ...report,
    verdict: 'undetermined',
    tcbStatus: null,
    tcbDate: null,
    advisories: [],
    claims: null,
    tcb: null,
    notes: [],
    checks: [
      ...report.checks,
      {
        name: 'collateral is no older than what was seen before',
        ok: false,
        expected: 'the newest numbers that were seen, or higher',
        found: error.message,
        failure: 'undetermined',
        ...(error.hint === undefined ? {} : { hint: error.hint }),
      },
    ],
  };
}

/** Holds a verdict against what was seen before, and remembers its collateral; gives the error where it is older. */
async function settle(command: VerifyCommand, verdict: Verdict): Promise<CollateralError | undefined> {
  try {
    await command.watermarks?.settle(verdict, command.pool.used);
    return undefined;
  } catch (error) {
    if (error instanceof CollateralError && error.code === 'COLLATERAL_ROLLED_BACK') return error;
    throw error;
  }
}

/** What a parser found says itself what it expected there and found. */
function expectedAndFound({ expected, found }: Check): string {
  return found.endsWith(' found') ? `${expected} expected; ${found}` : `${expected} expected, ${found} found`;
}

function textOf(report: VerificationReport): string {
  const lines = [`${report.verdict}${report.simulated ? ' (SIMULATED)' : ''}`];
  if (report.tee !== null) lines.push(`tee: ${report.tee}`);
  if (report.tcbStatus !== null)
    lines.push(
      `tcb status: ${report.tcbStatus}${report.tcbDate === null ? '' : ` of ${report.tcbDate.slice(0, 10)}`}`,
    );
  if (report.advisories.length > 0) lines.push(`advisories: ${report.advisories.join(', ')}`);
  for (const [name, value] of Object.entries((report.claims ?? {}) as Record<string, unknown>)) {
    if (name !== 'tee') lines.push(`${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`);
  }
  for (const check of report.checks) {
    lines.push(
      `${check.ok ? 'ok  ' : 'FAIL'} ${check.name}${check.ok ? '' : `: ${expectedAndFound(check)}`}`,
    );
    if (!check.ok && check.hint !== undefined) lines.push(`     hint: ${check.hint}`);
  }
  return `${lines.join('\n')}\n`;
}

/** The verdict, or why the evidence cannot be read at all. */
async function judge(command: VerifyCommand): Promise<Verdict | Unreadable> {
  try {
    const packaged = unpackEvidence(command.evidence);
    for (const der of packaged.certificates) command.pool.add(der);
    const verdict = await verifyEvidence(packaged.evidence, command.pool, {
      crypto: nodeCrypto,
      at: command.watermarks?.time(command.at) ?? command.at,
      trailing: command.allowTrailing ? 'ignore' : 'refuse',
      tpmRoots: command.tpmRoots ?? [],
      insecureSimulatedRoots: command.insecureSimulatedRoots,
      eventLog: await packagedExtensions(nodeCrypto, packaged),
    });
    return verdict ?? { found: 'something else' };
  } catch (error) {
    if (error instanceof EvidenceError) return { found: error.message, hint: error.hint };
    throw error;
  }
}

/** `ensconce evidence verify`: judges evidence and says why. Reads neither clock nor network: all of it is in `command`. */
export async function verifyCommand(
  command: VerifyCommand,
): Promise<CommandResult & { readonly report: VerificationReport }> {
  const verdict = await judge(command);
  const isVerdict = Verdict.is(verdict);
  const rolledBack = isVerdict ? await settle(command, verdict) : undefined;
  const judged = isVerdict
    ? reportOf(appraise(verdict, command.policy ?? platformOnly), command.policy)
    : unreadable(command.at, verdict);
  const told = { ...judged, notes: [...judged.notes, ...(command.notes ?? [])] };
  const report = rolledBack === undefined ? told : withRollBack(told, rolledBack);
  const notes = report.notes.map((note) => `note: ${note}\n`).join('');
  return {
    report,
    exitCode: verdictExitCodes[report.verdict],
    stdout: command.json ? `${JSON.stringify(report, undefined, 2)}\n` : `${textOf(report)}${notes}`,
    stderr: command.json ? notes : '',
  };
}
