import { compare, pair, same, type Change } from './diff/change.ts';
import { secretChanges } from './diff/secret.ts';
import { serviceChanges } from './diff/service.ts';
import { accessChanges, trustChanges } from './diff/trust.ts';
import type { Session } from './session.ts';

export type { Change } from './diff/change.ts';

/** What replacing `before` by `after` changes, for whom. Empty where nothing changes. */
export function sessionDiff(before: Session, after: Session): readonly Change[] {
  return [
    ...sessionChanges(before, after),
    ...accessChanges(before, after),
    ...trustChanges(before, after),
    ...serviceChanges(before, after),
    ...secretChanges(before, after),
    ...volumeChanges(before, after),
  ];
}

function sessionChanges(before: Session, after: Session): Change[] {
  const changes: Change[] = [];
  const add = (text: string, widens = false) => changes.push({ about: 'session', widens, text });
  if (before.name !== after.name)
    add(`the name changes from ${before.name} to ${after.name}: this is another session`, true);
  if (before.version !== after.version)
    add(`the language version changes from ${before.version} to ${after.version}`);
  if (before.creator?.keyHash !== after.creator?.keyHash)
    add('the creator changes: whoever is CREATOR may be another', true);
  if (before.salt !== after.salt) add('the salt changes');
  if (!same(before.secretConfig, after.secretConfig)) add('where generated secrets are kept changes');
  return changes;
}

function volumeChanges(before: Session, after: Session): Change[] {
  const { added, removed, kept } = pair(before.volumes, after.volumes);
  const change = (text: string, widens = false): Change => ({ about: 'volume', widens, text });
  return [
    ...added.map(({ name }) => change(`volume ${name} is new`)),
    ...removed.map(({ name }) => change(`volume ${name} is gone`)),
    ...kept.flatMap(([old, now]) => {
      const describe = (volume: typeof now) =>
        volume.export.map(
          ({ to, updatePolicy }) =>
            `session ${to.session} may import volume ${volume.name} (at most ${updatePolicy})`,
        );
      const exports = compare(describe(old), describe(now));
      const rest = (volume: typeof now) => ({ ...volume, export: [] });
      return [
        ...exports.added.map((text) => change(`newly: ${text}`, true)),
        ...exports.removed.map((text) => change(`no longer: ${text}`)),
        ...(same(rest(old), rest(now)) ? [] : [change(`volume ${now.name} changes`, true)]),
      ];
    }),
  ];
}
