import { describeEntry } from './access.ts';
import { canonicalJson, type Json } from '@ensconce/base/json';
import { equalBytes } from '@ensconce/base/bytes';
import { describeSource, describeVariant } from './explain.ts';
import { secretUses } from './service-secrets.ts';
import {
  imageOf,
  type AccessRule,
  type Secret,
  type SecretExport,
  type Service,
  type Session,
} from './session.ts';

/** One thing that an update changes, in words. Never a secret value, nor what a variable or file is set to. */
export interface Change {
  readonly about: 'session' | 'access' | 'trust' | 'service' | 'image' | 'secret' | 'volume';
  /** Whether somebody may get more than before. */
  readonly widens: boolean;
  readonly text: string;
}

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

const rights = [
  ['read', 'read the session'],
  ['update', 'change the session'],
  ['createSessions', 'create sessions inside it'],
  ['listSessions', 'list the sessions inside it'],
] as const;

function accessChanges(before: Session, after: Session): Change[] {
  return rights.flatMap(([right, words]) => {
    const { added, removed } = compare(names(before.accessPolicy[right]), names(after.accessPolicy[right]));
    return [
      ...added.map((who): Change => ({
        about: 'access',
        widens: who !== 'nobody',
        text: `${who} may newly ${words}`,
      })),
      ...removed.map((who): Change => ({
        about: 'access',
        widens: who === 'nobody',
        text: `${who} may no longer ${words}`,
      })),
    ];
  });
}

function names(rule: AccessRule): string[] {
  return rule.map((entry) => describeEntry(entry));
}

function trustChanges(before: Session, after: Session): Change[] {
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
  const tolerations = compare(old.attestation.tolerate, now.attestation.tolerate);
  for (const name of tolerations.added) add(`${name} is newly tolerated`, true);
  for (const name of tolerations.removed) add(`${name} is no longer tolerated`, false);
  const list = (value: readonly string[] | '*') => (value === '*' ? ['every advisory'] : value);
  const advisories = compare(list(old.attestation.ignoreAdvisories), list(now.attestation.ignoreAdvisories));
  for (const name of advisories.added) add(`${name} is newly ignored`, true);
  for (const name of advisories.removed) add(`${name} is no longer ignored`, false);
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

function serviceChanges(before: Session, after: Session): Change[] {
  const { added, removed, kept } = pair(before.services, after.services);
  return [
    ...added.map((service): Change => ({
      about: 'service',
      widens: true,
      text: `service ${service.name} is new${getsWords(after, service)}`,
    })),
    ...removed.map((service): Change => ({
      about: 'service',
      widens: false,
      text: `service ${service.name} is gone`,
    })),
    ...kept.flatMap(([old, now]) => changesOfService(before, old, after, now)),
  ];
}

function getsWords(session: Session, service: Service): string {
  const secrets = [...new Set(secretUses(session, service).map(({ secret }) => secret.name))];
  return secrets.length === 0 ? '' : ` and gets the secrets ${secrets.join(', ')}`;
}

function changesOfService(before: Session, old: Service, after: Session, now: Service): Change[] {
  const changes: Change[] = [];
  const add = (text: string, widens: boolean) =>
    changes.push({ about: 'service', widens, text: `service ${now.name}: ${text}` });
  const code = compare(acceptedCode(old), acceptedCode(now));
  for (const variant of code.added) add(`code with ${variant} is newly accepted`, true);
  for (const variant of code.removed) add(`code with ${variant} is no longer accepted`, false);
  const got = compare(secretNames(before, old), secretNames(after, now));
  for (const name of got.added) add(`newly gets secret ${name}`, true);
  for (const name of got.removed) add(`no longer gets secret ${name}`, false);
  if (!same(old.command, now.command)) add('another command is run', true);
  const variables = compare(Object.keys(old.environment), Object.keys(now.environment));
  for (const name of variables.added) add(`variable ${name} is new`, false);
  for (const name of variables.removed) add(`variable ${name} is gone`, false);
  for (const [name, value] of Object.entries(now.environment)) {
    if (Object.hasOwn(old.environment, name) && old.environment[name] !== value)
      add(`variable ${name} gets another value`, false);
  }
  const host = compare(old.hostEnvironment, now.hostEnvironment);
  for (const name of host.added) add(`the host may newly choose variable ${name}`, true);
  for (const name of host.removed) add(`the host may no longer choose variable ${name}`, false);
  const files = compare(old.hostFiles, now.hostFiles);
  for (const path of files.added) add(`sees the host’s ${path}`, true);
  for (const path of files.removed) add(`no longer sees the host’s ${path}`, false);
  for (const [key, words] of [
    ['pwd', 'the working directory'],
    ['user', 'the user'],
    ['capabilities', 'the capabilities'],
    ['platforms', 'the accepted platforms'],
    ['imageName', 'the image'],
    ['fspf', 'the file system protection file'],
    ['oneTimePasswordSharedSecret', 'the secret of one-time passwords'],
  ] as const) {
    if (!same(old[key], now[key])) add(`${words} changes`, key !== 'pwd');
  }
  return [...changes, ...imageChanges(before, old, after, now)];
}

/** One entry for each measurement, so that adding one does not look like replacing all. */
function acceptedCode(service: Service): string[] {
  return service.attestation.flatMap((variant) =>
    variant.mrenclave === undefined
      ? [describeVariant(variant)]
      : variant.mrenclave.map((value) => describeVariant({ ...variant, mrenclave: [value] })),
  );
}

function secretNames(session: Session, service: Service): string[] {
  return [...new Set(secretUses(session, service).map(({ secret }) => secret.name))];
}

function imageChanges(before: Session, old: Service, after: Session, now: Service): Change[] {
  const [was, is] = [imageOf(before, old), imageOf(after, now)];
  const changes: Change[] = [];
  const add = (text: string, widens: boolean) =>
    changes.push({ about: 'image', widens, text: `service ${now.name}: ${text}` });
  if (!same(was?.layers.map(({ root }) => root) ?? [], is?.layers.map(({ root }) => root) ?? []))
    add('the sealed layers change', true);
  else if (!same(was?.layers, is?.layers)) add('the keys of the sealed layers change', false);
  const files = compare(
    was?.injectionFiles.map(({ path }) => path) ?? [],
    is?.injectionFiles.map(({ path }) => path) ?? [],
  );
  for (const path of files.added) add(`file ${path} is new`, false);
  for (const path of files.removed) add(`file ${path} is gone`, false);
  for (const file of is?.injectionFiles ?? []) {
    const earlier = was?.injectionFiles.find(({ path }) => path === file.path);
    if (earlier && !same(earlier, file)) add(`file ${file.path} changes`, false);
  }
  const mounted = (image: typeof is) =>
    image?.volumes.map(({ name, path, updatePolicy }) => `volume ${name} at ${path} (${updatePolicy})`) ?? [];
  const volumes = compare(mounted(was), mounted(is));
  for (const volume of volumes.added) add(`${volume} is newly mounted`, true);
  for (const volume of volumes.removed) add(`${volume} is no longer mounted`, false);
  if (!same(was?.mrenclaves, is?.mrenclaves)) add('the measurements that the image accepts change', true);
  if (!same(was?.provideSecrets, is?.provideSecrets)) add('the secrets that templates may use change', true);
  return changes;
}

function secretChanges(before: Session, after: Session): Change[] {
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
  if (describeSource(old) !== describeSource(now)) return `comes from elsewhere: ${describeSource(now)}`;
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

function compare(
  before: readonly string[],
  after: readonly string[],
): { readonly added: string[]; readonly removed: string[] } {
  return {
    added: after.filter((item) => !before.includes(item)),
    removed: before.filter((item) => !after.includes(item)),
  };
}

function pair<T extends { readonly name: string }>(
  before: readonly T[],
  after: readonly T[],
): { readonly added: T[]; readonly removed: T[]; readonly kept: (readonly [T, T])[] } {
  return {
    added: after.filter(({ name }) => !before.some((old) => old.name === name)),
    removed: before.filter(({ name }) => !after.some((now) => now.name === name)),
    kept: after.flatMap((now) => {
      const old = before.find(({ name }) => name === now.name);
      return old ? [[old, now] as const] : [];
    }),
  };
}

function same(a: unknown, b: unknown): boolean {
  const bytes = (value: unknown) => canonicalJson((value ?? null) as Json);
  return equalBytes(bytes(a), bytes(b));
}
