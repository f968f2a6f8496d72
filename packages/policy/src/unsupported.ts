import { findService, imageOf, type Session } from './session.ts';

/** What a start of this service would need that CAS does not do yet; a start is refused with these reasons. */
export function unsupportedBy(session: Session, serviceName: string): readonly string[] {
  const service = findService(session, serviceName);
  const image = imageOf(session, service);
  const { security } = session;
  const needs: [boolean, string][] = [
    [service.command.length === 0, `service ${service.name} has no command`],
    [security.attestation.mode === 'maa', 'security.attestation.mode maa is not supported yet'],
    [
      security.reference !== undefined || security.attestation.reference !== undefined,
      'security from a config fragment is not supported yet',
    ],
    [
      security.attestation.tolerate.some((value) => value.startsWith('$$')),
      'references in tolerate are not supported yet',
    ],
    [
      Array.isArray(security.attestation.ignoreAdvisories) &&
        security.attestation.ignoreAdvisories.some((value: string) => value.startsWith('$$')),
      'references in ignore_advisories are not supported yet',
    ],
    [security.attestation.mustBeSgxLocal, 'must_be_sgx_local is not supported yet'],
    [security.singletonEnclaves, 'singleton_enclaves is not supported yet'],
    [security.serviceAccessToken !== undefined, 'service_access_token is not supported yet'],
    [
      (service.oneTimePasswordSharedSecret ?? security.attestation.oneTimePasswordSharedSecret) !== undefined,
      'one-time passwords are not supported yet',
    ],
    [service.platforms !== undefined, 'platforms are not supported yet'],
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
