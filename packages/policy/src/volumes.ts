import type { ImageVolume, Session, Volume, VolumeExport, VolumeUpdatePolicy } from './session.ts';

/** Update policies, the strongest first. An importer may use the exporter's cap or a stronger one (§1.5). */
const strength: readonly VolumeUpdatePolicy[] = ['ephemeral', 'rollback_protected', 'no_rollback_protection'];

/** Whether an importer whose volume was exported with `cap` may mount it with `policy`. */
export function capAllows(cap: VolumeUpdatePolicy, policy: VolumeUpdatePolicy): boolean {
  return strength.indexOf(policy) <= strength.indexOf(cap);
}

/** How a mounted volume is protected, in the words of the session language. */
export function protectionOf({ updatePolicy, durability }: ImageVolume): string {
  return durability === undefined ? updatePolicy : `${updatePolicy}, fsync: ${durability}`;
}

/**
 * The volume of `exporter` that a session may import under `name` (its own name or the alias of the export), with the
 * export that allows it; `undefined` where nothing does, whatever the reason.
 */
export function exportedVolume(
  exporter: Session,
  name: string,
  importer: { readonly name: string; readonly hash: string },
): { readonly volume: Volume; readonly export: VolumeExport } | undefined {
  for (const volume of exporter.volumes) {
    const allowed = volume.export.find(
      ({ to, volumeAlias }) =>
        (volumeAlias ?? volume.name) === name &&
        to.casUrl === undefined &&
        to.session === importer.name &&
        (to.sessionHash === undefined || to.sessionHash === importer.hash),
    );
    if (allowed) return { volume, export: allowed };
  }
  return undefined;
}
