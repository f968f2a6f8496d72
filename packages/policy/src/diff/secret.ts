import { describeSource } from '../explain.ts';
import type { Secret, SecretExport, Session } from '../session.ts';
import { compare, pair, same, type Change } from './change.ts';

export function secretChanges(before: Session, after: Session): Change[] {
  const { added, removed, kept } = pair(before.secrets, after.secrets);
  return [
    ...added.flatMap((secret): Change[] => [
      { about: 'secret', widens: false, text: `secret ${secret.name} is new: ${describeSource(secret)}` },
      ...exportChanges(undefined, secret),
    ]),
    ...removed.map((secret): Change => ({
      about: 'secret',
      widens: false,
      text: `secret ${secret.name} is gone; its value is lost`,
    })),
    ...kept.flatMap(([old, now]) => changesOfSecret(old, now)),
  ];
}

function changesOfSecret(old: Secret, now: Secret): Change[] {
  const add = (text: string): Change => ({
    about: 'secret',
    widens: false,
    text: `secret ${now.name} ${text}`,
  });
  const body = (secret: Secret) => ({ ...secret, export: [], exportPublic: false });
  const value = same(body(old), body(now))
    ? keepsValue(now)
      ? []
      : [add('gets a new value, as at every update')]
    : [add(changedValue(old, now))];
  return [...value, ...exportChanges(old, now)];
}

/** The rules of §1.4: what CAS keeps when nothing about the secret changes. */
function keepsValue(secret: Secret): boolean {
  if (secret.import || secret.importAkv || secret.value !== undefined) return true;
  if (secret.kind === 'private-key') return secret.migrate === true;
  return secret.kind !== 'x509' && secret.kind !== 'x509-ca';
}

function changedValue(old: Secret, now: Secret): string {
  if (old.kind !== now.kind)
    return `changes its kind from ${old.kind ?? 'an import'} to ${now.kind ?? 'an import'}`;
  if (describeSource(old) !== describeSource(now)) return `changes: ${describeSource(now)}`;
  if (!same(old.value, now.value)) return 'is given another value';
  return 'is made with other parameters';
}

function exportChanges(old: Secret | undefined, now: Secret): Change[] {
  const describe = (target: SecretExport) =>
    target.kind === 'namespace'
      ? `every session of namespace ${target.namespace}`
      : `session ${target.to.session}${target.to.casUrl === undefined ? '' : ` at CAS ${target.to.casUrl}`}${target.to.sessionHash === undefined ? '' : ` in its version ${target.to.sessionHash}`}`;
  const { added, removed } = compare((old?.export ?? []).map(describe), now.export.map(describe));
  const change = (text: string, widens: boolean): Change => ({ about: 'secret', widens, text });
  return [
    ...added.map((who) => change(`${who} may newly import secret ${now.name}`, true)),
    ...removed.map((who) => change(`${who} may no longer import secret ${now.name}`, false)),
    ...(now.exportPublic && old?.exportPublic !== true
      ? [change(`anybody may newly read the public part of secret ${now.name}`, true)]
      : []),
    ...(!now.exportPublic && old?.exportPublic === true
      ? [change(`the public part of secret ${now.name} may no longer be read by anybody`, false)]
      : []),
  ];
}
