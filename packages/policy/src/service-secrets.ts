import { resolveReference } from './secret-format.ts';
import { imageOf, type Image, type Secret, type Service, type Session } from './session.ts';
import { references } from './substitution.ts';

/** One place where a service gets a secret. */
export interface SecretUse {
  readonly secret: Secret;
  /** `''`, `hex` … */
  readonly format: string;
  /** `argument 2`, `variable TOKEN`, `file /etc/key`, `template /etc/app.conf`, `key of layer 0`. */
  readonly where: string;
}

/** Every secret that the service gets by its command, environment, files, layers and templates, in that order. */
export function secretUses(session: Session, service: Service): readonly SecretUse[] {
  const image = imageOf(session, service);
  const texts: (readonly [where: string, text: string | undefined])[] = [
    ...service.command.map((argument, index) => [`argument ${index}`, argument] as const),
    ...Object.entries(service.environment).map(([name, value]) => [`variable ${name}`, value] as const),
    ...(image?.injectionFiles ?? []).map(({ path, content }) => [`file ${path}`, content] as const),
    ...(image?.layers ?? []).map(({ key }, index) => [`key of layer ${index}`, key] as const),
    ['key of the file system', service.fspf?.key],
    ...(image?.volumes ?? []).map(
      ({ name }) =>
        [`key of volume ${name}`, session.volumes.find((volume) => volume.name === name)?.fspfKey] as const,
    ),
  ];
  const named = texts.flatMap(([where, text]) =>
    references(text ?? '').flatMap((reference) => {
      const resolved = resolveReference(reference, session);
      return resolved ? [{ ...resolved, where }] : [];
    }),
  );
  const provided = image === undefined ? [] : templateSecrets(session, image);
  const templates = (image?.injectionFiles ?? []).flatMap(({ path, content }) =>
    content === undefined
      ? provided.map((secret) => ({ secret, format: '', where: `template ${path}` }))
      : [],
  );
  return [...named, ...templates];
}

/** The names in {@link secretUses}, each once, without saying where: at a start nobody asks. */
export function usedSecrets(session: Session, service: Service): ReadonlySet<string> {
  const image = imageOf(session, service);
  const used = new Set<string>();
  const look = (text = ''): void => {
    for (const reference of references(text)) {
      const resolved = resolveReference(reference, session);
      if (resolved !== undefined) used.add(resolved.secret.name);
    }
  };
  for (const argument of service.command) look(argument);
  for (const value of Object.values(service.environment)) look(value);
  if (image !== undefined) {
    for (const { content } of image.injectionFiles) look(content);
    for (const { key } of image.layers) look(key);
  }
  look(service.fspf?.key);
  for (const { name } of image?.volumes ?? [])
    look(session.volumes.find((volume) => volume.name === name)?.fspfKey);
  if (image !== undefined) for (const { name } of templateSecrets(session, image)) used.add(name);
  return used;
}

/** The secrets that templates in the image may hold: none where there are no such templates. A fragment is no text. */
export function templateSecrets(session: Session, image: Image): readonly Secret[] {
  if (image.injectionFiles.every(({ content }) => content !== undefined)) return [];
  return session.secrets.filter(
    ({ name, kind }) => kind !== 'config-fragment' && (image.provideSecrets?.includes(name) ?? true),
  );
}
