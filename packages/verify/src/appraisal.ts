import { equalBytes, fromHex, toHex } from '@ensconce/base/bytes';
import { CheckList, type Check } from './check.ts';
import { boundDataOf, identitiesFor, matchIdentities, platformsOf, quotingEnclaveOf } from './identity.ts';
import { checkCertificate } from './ra-tls/policy.ts';
import { Verdict } from './verdict.ts';
import type { AdvisoryList, AppraisalPolicy, Toleration } from './policy.ts';
import type { Claims } from './claims.ts';
import type { TcbStatus } from './intel/status.ts';

/** The word that `--json` and audit logs use for the result. */
export type Decision = 'accepted' | 'not-accepted' | 'not-genuine' | 'undetermined';

const authority = Symbol('appraisal');

/** A verdict held against a policy. Only {@link appraise} makes one; code that releases secrets takes nothing else and demands `accepted`. */
export class Appraisal {
  readonly #verdict: Verdict;
  readonly #checks: readonly Check[];
  readonly #identityChecked: boolean;
  readonly #reportDataChecked: boolean;

  constructor(key: symbol, verdict: Verdict, checks: readonly Check[], policy: AppraisalPolicy) {
    if (key !== authority) throw new TypeError('only appraise() makes appraisals');
    this.#verdict = verdict;
    this.#checks = Object.freeze([...checks]);
    this.#identityChecked =
      verdict.claims !== null && identitiesFor(verdict.claims, policy) !== 'not-checked';
    this.#reportDataChecked = policy.reportData !== 'not-checked';
    Object.freeze(this);
  }

  static is(value: unknown): value is Appraisal {
    return typeof value === 'object' && value !== null && #verdict in value;
  }

  get verdict(): Verdict {
    return this.#verdict;
  }
  get decision(): Decision {
    if (this.#verdict.outcome !== 'genuine') return this.#verdict.outcome;
    return this.#checks.every((check) => check.ok) ? 'accepted' : 'not-accepted';
  }
  get accepted(): boolean {
    return this.decision === 'accepted';
  }
  /** The policy's checks; those of the verdict stand in the verdict. */
  get checks(): readonly Check[] {
    return this.#checks;
  }
  /** What stood in the way, decisive first: the verdict's failures, then the policy's. */
  get failures(): readonly Check[] {
    return [...this.#verdict.failures, ...this.#checks.filter((check) => !check.ok)];
  }
  /** False where the policy judged the platform only: the code could be anybody's. */
  get identityChecked(): boolean {
    return this.#identityChecked;
  }
  /** False where the evidence was not bound to anything: it may be a replay. */
  get reportDataChecked(): boolean {
    return this.#reportDataChecked;
  }
}

/** What must be tolerated for a status; null where nothing helps. */
const needed: Readonly<Record<TcbStatus, readonly Toleration[] | null>> = {
  UpToDate: [],
  SWHardeningNeeded: ['software-hardening-needed'],
  ConfigurationNeeded: ['insecure-configuration'],
  ConfigurationAndSWHardeningNeeded: ['insecure-configuration', 'software-hardening-needed'],
  OutOfDate: ['outdated-tcb'],
  OutOfDateConfigurationNeeded: ['outdated-tcb', 'insecure-configuration'],
  TDRelaunchAdvised: ['outdated-tcb'],
  TDRelaunchAdvisedConfigurationNeeded: ['outdated-tcb', 'insecure-configuration'],
  Revoked: null,
  TcbNotSupported: null,
};

/** Whether the first level that the platform lacks is so young that it need not meet it yet: an old gap is no younger for a new level above it. */
function inGrace(verdict: Verdict, policy: AppraisalPolicy): boolean {
  const { tcb } = verdict;
  if (policy.gracePeriod === undefined || tcb === null || tcb.missedDate === null) return false;
  return verdict.at <= Date.parse(tcb.missedDate) + policy.gracePeriod;
}

function isList(value: AppraisalPolicy['ignoreAdvisories']): value is AdvisoryList {
  return value === '*' || Array.isArray(value);
}

function ignoredFor(verdict: Verdict, { ignoreAdvisories }: AppraisalPolicy): AdvisoryList {
  return isList(ignoreAdvisories) ? ignoreAdvisories : (ignoreAdvisories[verdict.tee] ?? []);
}

function unignored(verdict: Verdict, ignored: AdvisoryList, grace: boolean): string[] {
  if (verdict.tcbStatus === 'UpToDate' || ignored === '*' || grace) return [];
  return verdict.advisories.filter((one) => !ignored.includes(one));
}

/** What helps where no component is below its newest version. */
const remedies: Readonly<Partial<Record<TcbStatus, string>>> = {
  SWHardeningNeeded: 'build the application with the mitigations that the advisories name',
  ConfigurationNeeded: 'change the platform’s BIOS settings as the advisories say',
  ConfigurationAndSWHardeningNeeded:
    'change the platform’s BIOS settings and build the application as the advisories say',
  TDRelaunchAdvised: 'launch the TD again: its module was updated since',
  TDRelaunchAdvisedConfigurationNeeded:
    'launch the TD again: its module was updated since; and change the BIOS settings as the advisories say',
  TcbNotSupported: 'update the platform’s firmware, or fetch newer collateral; no policy can accept this',
  Revoked: 'the vendor has withdrawn its trust in this state: update the platform; no policy can accept it',
};

function statusHint(verdict: Verdict, missing: readonly Toleration[], advisories: readonly string[]): string {
  const status = verdict.tcbStatus ?? 'not rated';
  const lags = /OutOfDate|NotSupported/.test(status);
  const shortfall = lags ? (verdict.tcb?.shortfall ?? null) : null;
  const remedy =
    (verdict.tcbStatus === null ? undefined : remedies[verdict.tcbStatus]) ??
    shortfall?.remedy ??
    'update its firmware and microcode';
  const why = shortfall === null ? '' : `: ${shortfall.what}`;
  const tolerate =
    missing.length === 0 ? '' : `, or tolerate ${missing.map((one) => `\`${one}\``).join(' and ')}`;
  const list = tolerate === '' || advisories.length === 0 ? '' : ` and list ${advisories.join(', ')}`;
  return `platform is ${status}${why}; ${remedy}${tolerate}${list}`;
}

function checkTcb(checks: CheckList, verdict: Verdict, policy: AppraisalPolicy): void {
  const status = verdict.tcbStatus;
  if (status === null) {
    checkUnrated(checks, verdict, policy);
    return;
  }
  const wants = needed[status];
  const grace = (wants?.includes('outdated-tcb') ?? false) && inGrace(verdict, policy);
  const missing =
    wants?.filter((one) => !policy.tolerate.includes(one) && !(grace && one === 'outdated-tcb')) ?? [];
  const ignored = ignoredFor(verdict, policy);
  const advisories = unignored(verdict, ignored, grace);
  checks.that('TCB status is accepted', wants !== null && missing.length === 0, {
    expected: `UpToDate${policy.tolerate.length === 0 ? '' : `, or what is tolerated: ${policy.tolerate.join(', ')}`}`,
    found: grace ? `${status}, within the grace period` : status,
    hint: statusHint(verdict, missing, advisories),
  });
  checks.that('advisories are accepted', advisories.length === 0, {
    expected: ignored === '*' ? 'any' : ignored.join(', ') || 'none',
    found: verdict.advisories.join(', ') || 'none',
    hint: `update the platform, or list them as ignored: ${advisories.join(', ')}`,
  });
  checkTcbDate(checks, verdict, policy);
}

/** AMD and AWS publish neither ratings nor dates of levels: a minimum date cannot hold there, so a minimum level must stand in for it. */
function checkUnrated(checks: CheckList, verdict: Verdict, policy: AppraisalPolicy): void {
  if (policy.minimumTcbDate === undefined) return;
  const { snp } = policy;
  const minimum =
    verdict.tee === 'snp' &&
    snp !== undefined &&
    snp !== 'not-checked' &&
    snp.every((one) => one.minimumTcb !== undefined);
  checks.that('TCB level is recent enough', minimum, {
    expected: `${policy.minimumTcbDate.toISOString()} or later, or a minimum level where the vendor publishes no dates`,
    found: minimum ? 'a minimum level' : 'neither',
    hint: 'name minimumTcb in each snp identity',
  });
}

function checkTcbDate(checks: CheckList, verdict: Verdict, policy: AppraisalPolicy): void {
  const number = verdict.tcb?.evaluationDataNumber;
  if (policy.minimumEvaluationNumber !== undefined && number !== undefined) {
    checks.that('TCB information is recent enough', number >= policy.minimumEvaluationNumber, {
      expected: `evaluation ${policy.minimumEvaluationNumber} or later`,
      found: `evaluation ${number}`,
      hint: 'fetch newer collateral',
    });
  }
  const { minimumTcbDate } = policy;
  if (minimumTcbDate === undefined) return;
  const ok = verdict.tcbDate !== null && Date.parse(verdict.tcbDate) >= minimumTcbDate.getTime();
  checks.that('TCB level is recent enough', ok, {
    expected: `${minimumTcbDate.toISOString()} or later`,
    found: verdict.tcbDate ?? 'no level',
    hint: 'update firmware and microcode of the platform',
  });
}

function checkIdentity(checks: CheckList, claims: Claims, policy: AppraisalPolicy): void {
  const identities = identitiesFor(claims, policy);
  if (identities === 'not-checked') return;
  const { mismatches, found } = matchIdentities(claims, policy);
  const wanted = mismatches.map((list) => list.join(', ')).join('; or ');
  const accepted = mismatches.some((list) => list.length === 0);
  checks.that('code is accepted', accepted, {
    expected: accepted
      ? 'one of the identities of the policy'
      : wanted || `nothing: the policy lists no ${claims.tee} identity`,
    found,
    hint: 'if this is the code you mean, add what was found to the policy',
  });
}

function checkReportData(checks: CheckList, found: string, policy: AppraisalPolicy): void {
  if (policy.reportData === 'not-checked') return;
  const expected = toHex(policy.reportData);
  checks.that('evidence is bound to this exchange', equalBytes(policy.reportData, fromHex(found)), {
    expected,
    found,
    hint: 'the evidence was made for another connection or nonce',
  });
}

/** Where it ran. A machine that does not show what the policy names is not one of those named. */
function checkMachine(checks: CheckList, claims: Claims, policy: AppraisalPolicy): void {
  const { platforms, quotingEnclaves } = policy;
  const shown = platformsOf(claims);
  const quotingEnclave = quotingEnclaveOf(claims);
  const listed = (ids: readonly string[], id: string | null): boolean =>
    ids.some((one) => one.toLowerCase() === id);
  if (platforms !== undefined) {
    const accepted = shown.some((id) => listed(platforms, id));
    checks.that('platform is accepted', accepted, {
      expected: platforms.join(', ') || 'nothing: the policy lists no platform',
      found: shown.join(', ') || 'no id: the platform masks it',
      hint: 'add the platform to the policy, or run elsewhere',
    });
  }
  if (quotingEnclaves === undefined) return;
  checks.that('quoting enclave is accepted', listed(quotingEnclaves, quotingEnclave), {
    expected: quotingEnclaves.join(', ') || 'nothing: the policy lists no quoting enclave',
    found: quotingEnclave ?? 'none: the evidence is not of Intel’s',
    hint: 'add the id of the quoting enclave to the policy, or run elsewhere',
  });
}

/** Holds genuine evidence against a policy. Evidence that is not genuine, or could not be judged, is never accepted. */
export function appraise(verdict: Verdict, policy: AppraisalPolicy): Appraisal {
  if (!Verdict.is(verdict)) throw new TypeError('a verdict of the verifier expected');
  const checks = new CheckList();
  const { claims } = verdict;
  if (claims !== null && verdict.outcome === 'genuine') {
    checks.that('hardware is real', !verdict.simulated || policy.acceptSimulation, {
      expected: policy.acceptSimulation ? 'real or simulated hardware' : 'real hardware',
      found: verdict.simulated ? 'SIMULATED hardware, which protects nothing' : 'real hardware',
      hint: 'for tests only: accept simulation in the policy',
    });
    checks.that('debug mode is off', !claims.debug || policy.tolerate.includes('debug-mode'), {
      expected: policy.tolerate.includes('debug-mode') ? 'on or off' : 'off',
      found: claims.debug ? 'on: the host can read its memory' : 'off',
      hint: 'build and start without debug, or for tests only: add tolerate: [debug-mode]',
    });
    checkTcb(checks, verdict, policy);
    checkIdentity(checks, claims, policy);
    checkReportData(checks, boundDataOf(claims), policy);
    checkCertificate(checks, claims, verdict.at);
    checkMachine(checks, claims, policy);
  }
  return new Appraisal(authority, verdict, checks.list, policy);
}
