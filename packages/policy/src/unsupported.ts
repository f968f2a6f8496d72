import { findService, imageOf, type Session } from './session.ts';

/** What a start of this service would need that CAS does not do yet; a start is refused with these reasons. */
export function unsupportedBy(session: Session, serviceName: string): readonly string[] {
  const service = findService(session, serviceName);
  const image = imageOf(session, service);
  const needs: [boolean, string][] = [
    [service.command.length === 0, `service ${service.name} has no command`],
    [
      service.fspf !== undefined,
      'fspf_path, fspf_key and fspf_tag (SCONE’s own file format) are not supported: use volumes',
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
  return reasons;
}
