import { secretUses } from './service-secrets.ts';
import { findService, imageOf, type SecretKind, type Session } from './session.ts';

/** What the CAS that asks can do beyond the core of the language. */
export interface Supported {
  /** `ascii` and `binary` where nothing else is said. */
  readonly secretKinds?: ReadonlySet<SecretKind> | undefined;
  /** Secrets imported from other sessions of the same CAS. */
  readonly imports?: boolean | undefined;
}

const coreKinds: ReadonlySet<SecretKind> = new Set(['ascii', 'binary']);

/** What a start of this service would need that CAS does not do yet; a start is refused with these reasons. */
export function unsupportedBy(
  session: Session,
  serviceName: string,
  supported: Supported = {},
): readonly string[] {
  const service = findService(session, serviceName);
  const image = imageOf(session, service);
  const needs: [boolean, string][] = [
    [service.command.length === 0, `service ${service.name} has no command`],
    [
      service.fspf !== undefined,
      'fspf_path, fspf_key and fspf_tag (SCONE’s own file format) are not supported: use volumes',
    ],
    [session.secretConfig?.storeIn === 'akv', 'secret_config !akv is not supported yet'],
    [
      image?.injectionFiles.some(({ content }) => content === undefined) === true,
      'injection files whose template is in the image are not supported yet',
    ],
  ];
  const reasons = needs.filter(([needed]) => needed).map(([, reason]) => reason);
  for (const { name } of image?.volumes ?? []) {
    if (session.volumes.find((volume) => volume.name === name)?.fspfTag === undefined) continue;
    reasons.push(
      `volume ${name}: fspf_tag is a tag of SCONE’s own file format, whose volumes are not supported: leave it out ` +
        'for a new volume, or give the tag that `ensconce volume show` prints as ensconce: {tag: …}',
    );
  }
  const used = new Set(secretUses(session, service).map(({ secret }) => secret));
  for (const secret of used) {
    const local = secret.import !== undefined && secret.import.from.casUrl === undefined;
    if (secret.importAkv || (secret.import && !(local && supported.imports === true))) {
      reasons.push(`secret ${secret.name}: this import is not supported yet`);
    } else if (!secret.import && !(supported.secretKinds ?? coreKinds).has(secret.kind as SecretKind)) {
      reasons.push(`secret ${secret.name}: the kind ${secret.kind ?? ''} is not supported yet`);
    }
  }
  return reasons;
}
