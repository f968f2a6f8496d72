import { imageOf, type SecretKind, type Service, type Session } from '@ensconce/policy/session';

/** The kinds whose values change only with the stored session; whatever is not listed is delivered anew each time. */
const constantKinds: ReadonlySet<SecretKind | undefined> = new Set([
  'ascii',
  'binary',
  'private-key',
  'public-key',
  'x509',
  'x509-ca',
] as const);

/** Whether a service's configuration changes with the stored session alone: nothing in it depends on time, program, vaults or other sessions. */
export function isConstant(session: Session, service: Service): boolean {
  return (
    (imageOf(session, service)?.volumes.length ?? 0) === 0 &&
    // Values that a vault keeps are the vault's to change.
    session.secretConfig === undefined &&
    session.secrets.every(
      ({ kind, import: imported, importAkv }) =>
        imported === undefined && importAkv === undefined && constantKinds.has(kind),
    )
  );
}
