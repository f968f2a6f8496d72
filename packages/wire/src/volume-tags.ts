import * as v from 'valibot';

/**
 * The tags of volumes, over the connection on which a service was attested (docs/protocol/attestation.md, "Tags of
 * volumes"). A service asks, CAS answers with the same `id`; at most one question for a volume is open at a time.
 */

/** UTF-16 units; names of volumes in the session language are shorter. */
const maxVolumeName = 1024;
const tag = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, '32 bytes of hex expected'));
/** Null where the volume has never been initialised. */
const knownTag = v.nullable(tag);
const epoch = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const id = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
/** As the configuration names it, so that a service can only ask for volumes that its session gives it. */
const volume = v.pipe(v.string(), v.maxLength(maxVolumeName));

/** Service → CAS. */
export const volumeQuestion = v.variant('type', [
  v.strictObject({ type: v.literal('volume-read'), id, volume }),
  /** Become the writer, if the state still is the one that was read: sets the tag and grants the next epoch. */
  v.strictObject({
    type: v.literal('volume-acquire'),
    id,
    volume,
    expected: v.strictObject({ tag: knownTag, epoch }),
    tag,
  }),
  /** Compare-and-set of the tag by the writer of `epoch`. */
  v.strictObject({ type: v.literal('volume-advance'), id, volume, epoch, from: tag, to: tag }),
  /** The writer of `epoch` has unmounted; `tag` is the last that it settled. */
  v.strictObject({ type: v.literal('volume-close'), id, volume, epoch, tag }),
]);
export type VolumeQuestion = v.InferOutput<typeof volumeQuestion>;

/** CAS → service. What is said has been durable at CAS before. */
export const volumeAnswer = v.variant('type', [
  v.strictObject({ type: v.literal('volume-state'), id, tag: knownTag, epoch }),
  /** The epoch that was granted; null where the state is another than was expected. */
  v.strictObject({ type: v.literal('volume-acquired'), id, epoch: v.nullable(epoch) }),
  v.strictObject({
    type: v.literal('volume-advanced'),
    id,
    result: v.picklist(['accepted', 'superseded']),
  }),
  v.strictObject({ type: v.literal('volume-closed'), id }),
  /** Nothing has changed, or nobody knows. */
  v.strictObject({ type: v.literal('volume-failed'), id, reason: v.string() }),
]);
export type VolumeAnswer = v.InferOutput<typeof volumeAnswer>;
