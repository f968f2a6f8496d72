import { deleteRule, describeEntry } from '../access.ts';
import type { AccessRule, Session } from '../session.ts';
import { compare, same, type Change } from './change.ts';

const rights: readonly (readonly [(session: Session) => AccessRule, string])[] = [
  [({ accessPolicy }) => accessPolicy.read, 'read the session'],
  [({ accessPolicy }) => accessPolicy.update, 'change the session'],
  [({ accessPolicy }) => accessPolicy.createSessions, 'create sessions inside it'],
  [({ accessPolicy }) => accessPolicy.listSessions, 'list the sessions inside it'],
  [deleteRule, 'delete the session'],
];

export function accessChanges(before: Session, after: Session): Change[] {
  return rights.flatMap(([rule, words]) => ruleChanges(names(rule(before)), names(rule(after)), words));
}

/** Where anybody may, everybody named may as well; where nobody may, nobody is named. */
function ruleChanges(before: readonly string[], after: readonly string[], words: string): Change[] {
  const change = (text: string, widens: boolean): Change => ({ about: 'access', widens, text });
  const [open, opens] = [before.includes(anybody), after.includes(anybody)];
  if (open && opens) return [];
  if (opens) return [change(`anybody may newly ${words}`, true)];
  if (open) {
    const named = after.filter((who) => who !== nobody);
    const left =
      named.length === 0
        ? `nobody may ${words} any more`
        : `only ${named.join(', ')} may ${words} now, not anybody`;
    return [change(left, false)];
  }
  const { added, removed } = compare(before, after);
  return [
    ...added.filter((who) => who !== nobody).map((who) => change(`${who} may newly ${words}`, true)),
    ...removed.filter((who) => who !== nobody).map((who) => change(`${who} may no longer ${words}`, false)),
  ];
}

const [anybody, nobody] = ['anybody', 'nobody'];

function names(rule: AccessRule): string[] {
  return rule.map((entry) => describeEntry(entry));
}

export function trustChanges(before: Session, after: Session): Change[] {
  const changes: Change[] = [];
  const add = (text: string, widens: boolean) => changes.push({ about: 'trust', widens, text });
  const [old, now] = [before.security, after.security];
  if (old.attestation.mode !== now.attestation.mode) {
    add(
      `the attestation mode changes from ${old.attestation.mode} to ${now.attestation.mode}`,
      now.attestation.mode !== 'hardware',
    );
  }
  if (before.acceptSimulation !== after.acceptSimulation) {
    if (after.acceptSimulation) add('simulated hardware, which protects nothing, is newly accepted', true);
    else add('simulated hardware is no longer accepted', false);
  }
  const [date, newDate] = [before.minimumTcbDate ?? '', after.minimumTcbDate ?? ''];
  if (date !== newDate)
    add(`the earliest TCB date changes from ${date || 'any'} to ${newDate || 'any'}`, newDate < date);
  const [grace, newGrace] = [before.advisoryGraceDays ?? 0, after.advisoryGraceDays ?? 0];
  if (grace !== newGrace)
    add(`platforms may lack updates for ${newGrace} days, not ${grace}`, newGrace > grace);
  const [evaluation, newEvaluation] = [
    before.minimumEvaluationNumber ?? 0,
    after.minimumEvaluationNumber ?? 0,
  ];
  if (evaluation !== newEvaluation) {
    add(
      `the earliest evaluation of Intel’s changes from ${evaluation || 'any'} to ${newEvaluation || 'any'}`,
      newEvaluation < evaluation,
    );
  }
  const tolerations = compare(old.attestation.tolerate, now.attestation.tolerate);
  for (const name of tolerations.added) add(`${name} is newly tolerated`, true);
  for (const name of tolerations.removed) add(`${name} is no longer tolerated`, false);
  const list = (value: readonly string[] | '*') => (value === '*' ? ['every advisory'] : value);
  const advisories = compare(list(old.attestation.ignoreAdvisories), list(now.attestation.ignoreAdvisories));
  for (const name of advisories.added) add(`${name} is newly ignored`, true);
  for (const name of advisories.removed) add(`${name} is no longer ignored`, false);
  for (const tee of ['sgx', 'tdx'] as const) {
    const [was, is] = [ignoredOn(before, tee), ignoredOn(after, tee)];
    if (before.ignoreAdvisoriesOf?.[tee] === undefined && after.ignoreAdvisoriesOf?.[tee] === undefined)
      continue;
    const own = compare(list(was), list(is));
    for (const name of own.added) add(`${name} is newly ignored on ${tee}`, true);
    for (const name of own.removed) add(`${name} is no longer ignored on ${tee}`, false);
  }
  for (const [key, words] of [
    ['serviceAccessToken', 'the service access token'],
    ['singletonEnclaves', 'whether enclaves may start once only'],
    ['reference', 'the fragment for the whole security section'],
  ] as const) {
    if (old[key] !== now[key]) add(`${words} changes`, true);
  }
  const rest = (attestation: typeof old.attestation) => ({
    ...attestation,
    mode: '',
    tolerate: [],
    ignoreAdvisories: [],
  });
  if (!same(rest(old.attestation), rest(now.attestation))) add('other attestation settings change', true);
  return changes;
}

/** What counts for a TEE: its own list, or that for all. */
function ignoredOn(session: Session, tee: 'sgx' | 'tdx'): readonly string[] | '*' {
  return session.ignoreAdvisoriesOf?.[tee] ?? session.security.attestation.ignoreAdvisories;
}
