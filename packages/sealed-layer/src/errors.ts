import { EnsconceError } from '@ensconce/base/errors';

/**
 * - `SEALED_READ`: the bytes could not be read, or fewer than expected
 * - `SEALED_HEADER`, `SEALED_VERSION`, `SEALED_FEATURE`: not a sealed layer, or one that this reader does not know
 * - `SEALED_ROOT`, `SEALED_KEY`: another layer, or another key, than the policy names
 * - `SEALED_DAMAGED`: a unit that does not authenticate
 * - `SEALED_STRUCTURE`: an authentic index that contradicts itself (a defect of the program that wrote it)
 * - `SEALED_ENTRY`, `SEALED_LIMIT`: the writer cannot represent what it was given
 */
export type SealedLayerErrorCode =
  | 'SEALED_READ'
  | 'SEALED_HEADER'
  | 'SEALED_VERSION'
  | 'SEALED_FEATURE'
  | 'SEALED_ROOT'
  | 'SEALED_KEY'
  | 'SEALED_DAMAGED'
  | 'SEALED_STRUCTURE'
  | 'SEALED_ENTRY'
  | 'SEALED_LIMIT';

/** A sealed layer that is not what its root and key say, or an entry that cannot be sealed. */
export class SealedLayerError extends EnsconceError<SealedLayerErrorCode> {}
