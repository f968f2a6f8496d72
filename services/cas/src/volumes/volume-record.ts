import * as v from 'valibot';

const hex32 = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));

/** What CAS keeps of a volume, table `volume`, named by {@link volumeRecordName}. No update of a session changes it. */
export const volumeRecord = v.strictObject({
  /** Made by CAS when a session without `fspf_key` was first used; null where it never was. */
  key: v.nullable(hex32),
  /** Tag of the newest settled state; null where the volume has never been initialised. */
  tag: v.nullable(hex32),
  /** Of the writer that was granted last; 0 before the first. */
  epoch: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
});
export type VolumeRecord = v.InferOutput<typeof volumeRecord>;

/** The session that defines a volume, and its name there: importers use the same one. */
export interface VolumeOwner {
  readonly session: string;
  readonly volume: string;
}

export const volumeRecordName = ({ session, volume }: VolumeOwner): string =>
  JSON.stringify([session, volume]);
