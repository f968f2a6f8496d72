import { absolute } from '../language/names.ts';
import { suggest } from '../form/suggestion.ts';
import type { Session, SessionReference } from '../session.ts';
import type { Check } from './check.ts';

/** Each name once in its list. */
export const uniqueNames: Check = (session, report) => {
  for (const [what, list] of [
    ['service', session.services],
    ['image', session.images],
    ['volume', session.volumes],
    ['secret', session.secrets],
  ] as const) {
    const seen = new Set<string>();
    for (const part of list) {
      if (seen.has(part.name))
        report.error(part, 'name', `each ${what} name once expected, \`${part.name}\` found again`);
      seen.add(part.name);
    }
  }
};

/** What is named is there: images of services, volumes of images, secrets of images. */
export const knownNames: Check = (session, report) => {
  const images = new Set(session.images.map(({ name }) => name));
  for (const service of session.services) {
    if (service.imageName === undefined || images.has(service.imageName)) continue;
    if (images.size === 0) {
      report.warning(
        service,
        'image_name',
        `no images are defined: \`${service.imageName}\` adds nothing to the service`,
      );
    } else {
      report.error(
        service,
        'image_name',
        `an image of this session expected, \`${service.imageName}\` found`,
        () => suggest(service.imageName ?? '', images),
      );
    }
  }
  const volumes = new Set(session.volumes.map(({ name }) => name));
  const secrets = new Set(session.secrets.map(({ name }) => name));
  for (const image of session.images) {
    const paths = new Set<string>();
    for (const volume of image.volumes) {
      if (!volumes.has(volume.name)) {
        report.error(volume, 'name', `a volume of this session expected, \`${volume.name}\` found`, () =>
          suggest(volume.name, volumes),
        );
      }
    }
    for (const mounted of [...image.volumes, ...image.injectionFiles]) {
      if (paths.has(mounted.path))
        report.error(mounted, 'path', `each path once expected, \`${mounted.path}\` found again`);
      paths.add(mounted.path);
    }
    for (const name of image.provideSecrets ?? []) {
      if (!secrets.has(name)) {
        report.error(image, 'provide_secrets', `secrets of this session expected, \`${name}\` found`, () =>
          suggest(name, secrets),
        );
      }
    }
  }
};

/** Relative session names must not lead above the root. */
export const reachableSessions: Check = (session, report) => {
  const check = (reference: SessionReference | undefined, part: object, key: string): void => {
    if (reference?.casSoftwareKey !== undefined)
      report.warning(
        part,
        key,
        'no CAS here has a software key, so nothing matches: name the CAS by cas_key',
      );
    if (!reference || reference.casUrl !== undefined) return;
    const name = absolute(reference.session, session.name);
    if (name === undefined)
      report.error(part, key, `a session below the root expected, ${reference.session} found`);
    else if (name === session.name) report.warning(part, key, 'another session expected, this one found');
  };
  for (const secret of session.secrets) {
    check(secret.import?.from, secret, 'import');
    for (const target of secret.export) if (target.kind === 'session') check(target.to, secret, 'export');
  }
  for (const volume of session.volumes) {
    check(volume.import?.from, volume, 'import');
    for (const target of volume.export) check(target.to, volume, 'export');
  }
};

/** The session with every relative reference made absolute, so that the same meaning has the same hash. */
export function resolveReferences(session: Session): Session {
  const resolve = (reference: SessionReference): SessionReference =>
    reference.casUrl === undefined
      ? { ...reference, session: absolute(reference.session, session.name) ?? reference.session }
      : reference;
  return {
    ...session,
    secrets: session.secrets.map((secret) => ({
      ...secret,
      export: secret.export.map((target) =>
        target.kind === 'session' ? { kind: 'session', to: resolve(target.to) } : target,
      ),
      import: secret.import ? { ...secret.import, from: resolve(secret.import.from) } : undefined,
    })),
    volumes: session.volumes.map((volume) => ({
      ...volume,
      export: volume.export.map((target) => ({ ...target, to: resolve(target.to) })),
      import: volume.import ? { ...volume.import, from: resolve(volume.import.from) } : undefined,
    })),
  };
}
