import { describeGuests, describeVariant } from '../explain.ts';
import { secretUses } from '../service-secrets.ts';
import { imageOf, type Service, type Session } from '../session.ts';
import { protectionOf } from '../volumes.ts';
import { compare, pair, same, type Change } from './change.ts';

export function serviceChanges(before: Session, after: Session): Change[] {
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
  const guests = compare([...describeGuests(old)], [...describeGuests(now)]);
  for (const guest of guests.added) add(`${guest} is newly accepted`, true);
  for (const guest of guests.removed) add(`${guest} is no longer accepted`, false);
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
    ['pwd', 'the working directory changes'],
    ['user', 'the user changes'],
    ['capabilities', 'the capabilities change'],
    ['platforms', 'the accepted quoting enclaves change'],
    ['chips', 'the accepted machines change'],
    ['imageName', 'the image changes'],
    ['fspf', 'the file system protection file changes'],
    ['oneTimePasswordSharedSecret', 'the secret of one-time passwords changes'],
  ] as const) {
    if (!same(old[key], now[key])) add(words, key !== 'pwd');
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
    image?.volumes.map((volume) => `volume ${volume.name} at ${volume.path} (${protectionOf(volume)})`) ?? [];
  const volumes = compare(mounted(was), mounted(is));
  for (const volume of volumes.added) add(`${volume} is newly mounted`, true);
  for (const volume of volumes.removed) add(`${volume} is no longer mounted`, false);
  if (!same(was?.mrenclaves, is?.mrenclaves)) add('the measurements that the image accepts change', true);
  if (!same(was?.provideSecrets, is?.provideSecrets)) add('the secrets that templates may use change', true);
  return changes;
}
