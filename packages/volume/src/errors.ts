import { EnsconceError } from '@ensconce/base/errors';

/**
 * - `VOLUME_FORMAT`: not a volume, or of a version or with a feature that this program does not know.
 * - `VOLUME_KEY`: the volume is not sealed with this key.
 * - `VOLUME_EXISTS`: a place for a new volume is not empty.
 * - `VOLUME_MISSING`: an initialised volume is empty, or a file of it is gone.
 * - `VOLUME_DAMAGED`: a frame, page or record is not what was written.
 * - `VOLUME_ROLLED_BACK`: what the directory holds does not lead to the tag that the keeper has.
 * - `VOLUME_SUPERSEDED`: another writer has taken over.
 * - `VOLUME_FAILED`: the backing directory failed; nothing more is written.
 * - `VOLUME_READ_ONLY`: a change of a volume that was opened for reading.
 * - `VOLUME_KEEPER`: the keeper of the tag did not answer.
 * - `VOLUME_FULL`: the backing directory has no room left.
 */
export type VolumeErrorCode =
  | 'VOLUME_FORMAT'
  | 'VOLUME_KEY'
  | 'VOLUME_EXISTS'
  | 'VOLUME_MISSING'
  | 'VOLUME_DAMAGED'
  | 'VOLUME_ROLLED_BACK'
  | 'VOLUME_SUPERSEDED'
  | 'VOLUME_FAILED'
  | 'VOLUME_FULL'
  | 'VOLUME_READ_ONLY'
  | 'VOLUME_KEEPER';

export class VolumeError extends EnsconceError<VolumeErrorCode> {}
