import type { Backing } from './backing.ts';
import { readWhole } from './backing.ts';
import { VolumeError } from './errors.ts';
import { decodeHeader, headerFile, headerSize } from './header.ts';
import type { TagKeeper } from './tag-keeper.ts';

/**
 * Reads and opens the header of a volume.
 *
 * @throws VolumeError
 */
export function readVolumeHeader(
  backing: Backing,
  volumeKey: Uint8Array,
  keeper: TagKeeper,
): { volumeId: Uint8Array; master: Uint8Array } {
  let bytes: Uint8Array;
  try {
    bytes = readWhole(backing, headerFile, headerSize);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
    throw keeper.read().tag
      ? new VolumeError('VOLUME_MISSING', 'volume: the files of an initialised volume expected, none found', {
          cause,
          hint: 'the directory lost its contents or was exchanged; restore it, it is never made anew',
        })
      : new VolumeError('VOLUME_FORMAT', `volume: a file ${headerFile} expected, none found`, {
          cause,
          hint: 'name the directory of a volume, or create one',
        });
  }
  return decodeHeader(bytes, volumeKey);
}
