import { addFiles } from '@ensconce/volume/commands';
import { placeOf, withVolumeOptions, type VolumeOptions } from '../state/volume-place.ts';
import type { Verb } from '../verb.ts';

export const volumeAdd: Verb = {
  name: 'volume add',
  summary: 'copy a local folder into a volume that is not mounted',
  examples: ['ensconce volume add ./data ./model --key-file key --tag-file /safe/data.tag'],
  define(command, io) {
    withVolumeOptions(
      command
        .argument('<dir>', 'folder of the volume')
        .argument('<source>', 'folder whose contents are added'),
    ).action((directory: string, source: string, options: VolumeOptions) => {
      addFiles(placeOf(io, directory, options), source, (path) => io.stderr(`volume: ${path}\n`));
    });
  },
};
